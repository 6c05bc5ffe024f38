//! MQTT: topics, payloads, the client and the drain of the outbox.
