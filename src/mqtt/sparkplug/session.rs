//! The node's own connections, one after the other, each with a death of its own in the will.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use super::node::Node;
use crate::config::settings::MqttSettings;
use crate::mqtt::error::MqttError;
use crate::mqtt::link::{self, About, Gone, LinkError, Message, Sender, Signal, Will};
use crate::mqtt::publisher::backoff;
use crate::mqtt::session::{Stop, past, pump, until};
use crate::mqtt::shared::Shared;
use crate::shutdown::Shutdown;

/// Messages on their way to the broker at a time.
const WINDOW: usize = 32;

/// More than all that is ever on its way, so that `try_publish` does not fail.
const CHANNEL: usize = 2 * WINDOW;

/// Who asks for rebirths without end gets one in this time.
const REBORN_EVERY: Duration = Duration::from_secs(1);

/// A connection that held this long was a good one, and the next backoff starts anew.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// One connection after the other, until the program stops. Returns at once where Sparkplug is not spoken.
pub(in crate::mqtt) async fn keep_connected(shared: Arc<Shared>, settings: MqttSettings, shutdown: Shutdown) {
    let Some((node, wanted)) = shared.sparkplug.as_ref().zip(settings.sparkplug.as_ref()) else { return };
    let client_id = wanted.client_id.replace("{device}", shared.device.as_str());
    let mut stop = shared.stop.subscribe();
    let mut hurried = false;
    let mut failures = 0;
    let mut birth = next_birth(&shared, None);
    loop {
        let started = Instant::now();
        let mut connected = false;
        let outcome = session(&shared, node, &settings, &client_id, birth, stop.clone(), &mut connected).await;
        node.end();
        let stopping = stop.borrow_and_update().is_some();
        match outcome {
            Ok(()) => break,
            Err(error) if stopping => {
                tracing::warn!("Sparkplug: {error}");
                break;
            }
            Err(error) => {
                failures = if connected && started.elapsed() > GOOD_CONNECTION { 1 } else { failures + 1 };
                let pause = backoff(failures, settings.reconnect_max);
                tracing::warn!("Sparkplug: {error}; next try in {:.1} s", pause.as_secs_f32());
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = stop.changed() => {}
                    () = shutdown.wait(), if !hurried => hurried = true,
                }
            }
        }
        // The broker has not heard of a number that was in no accepted connection, so it is no gap to use it again.
        if connected {
            birth = next_birth(&shared, Some(birth));
        }
    }
    node.ended.request();
}

fn next_birth(shared: &Shared, before: Option<u8>) -> u8 {
    shared.store.next_birth().unwrap_or_else(|error| {
        tracing::error!("Sparkplug's birth number is not kept: {error}");
        before.map_or(0, |before| before.wrapping_add(1))
    })
}

async fn session(
    shared: &Shared,
    node: &Node,
    settings: &MqttSettings,
    client_id: &str,
    birth: u8,
    stop: Stop,
    connected: &mut bool,
) -> Result<(), MqttError> {
    let will = Will { topic: node.topic("NDEATH"), payload: node.death(birth), retain: false };
    let (sender, mut connection) = link::open(settings, client_id, Some(will), CHANNEL)?;
    let run = async {
        tokio::select! {
            first = connection.next() => first?,
            () = past(stop.clone()) => return Err(LinkError::Silent),
        };
        *connected = true;
        tracing::info!(broker = %shared.broker, node = node.topic("NBIRTH"), birth, "connected for Sparkplug");
        node.begin(birth);
        let (signals, received) = unbounded_channel();
        // As in the other session, neither is ever cut off by the other's progress.
        tokio::select! {
            error = pump(&mut connection, signals) => Err(error),
            driven = drive(node, &sender, birth, received, stop) => driven.map_err(|Gone| LinkError::Silent),
        }
    };
    run.await.map_err(|error| {
        let user = settings.user.as_deref();
        MqttError::from_link(&error, &shared.broker, client_id, user, settings.tls.is_some())
    })
}

async fn drive(
    node: &Node,
    sender: &Sender,
    birth: u8,
    mut received: UnboundedReceiver<Signal>,
    mut stop: Stop,
) -> Result<(), Gone> {
    // The specification wants it before the birth, so that whoever hears that can ask for another.
    sender.subscribe(node.topic("NCMD"))?;
    let mut on_way = 0;
    let mut reborn = Instant::now();
    let mut asked: Option<Instant> = None;
    loop {
        if asked.is_some_and(|moment| moment <= Instant::now()) {
            asked = None;
            reborn = Instant::now();
            tracing::info!("Sparkplug: a host asked for a rebirth");
            node.rebirth();
        }
        while on_way < WINDOW {
            let Some((topic, payload)) = node.next() else { break };
            sender.publish_once(topic, payload)?;
            on_way += 1;
        }
        if stop.borrow_and_update().is_some() && on_way == 0 {
            break;
        }
        let too_late = past(stop.clone());
        tokio::select! {
            signal = received.recv() => match signal {
                Some(Signal::Sent(_)) => on_way -= 1,
                Some(Signal::Heard(heard)) if node.asks_for_rebirth(&heard) => {
                    asked.get_or_insert(reborn + REBORN_EVERY);
                }
                Some(_) => {}
                None => return Err(Gone),
            },
            () = node.wake.notified() => {}
            () = until(asked) => {}
            _ = stop.changed() => {}
            () = too_late => break,
        }
    }
    // What goes of its own accord says so itself; the broker then forgets the will. After it nothing more is said.
    node.end();
    let about = About::default();
    sender.publish(Message { topic: node.topic("NDEATH"), payload: node.death(birth), retain: false, about })?;
    while !matches!(received.recv().await, Some(Signal::Acknowledged(_) | Signal::Refused(..)) | None) {}
    sender.disconnect()?;
    while !matches!(received.recv().await, Some(Signal::Disconnected) | None) {}
    tracing::info!("disconnected from the broker for Sparkplug");
    Ok(())
}
