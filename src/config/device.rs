//! The device's id, where the configuration names none.

use sha2::{Digest, Sha256};

use super::settings::Name;

/// What this program's ids are derived with. It never changes, so that they do not.
const APPLICATION: &[u8; 16] = b"lookout-device-1";

/// SHA-256 takes its input in blocks of so many bytes.
const BLOCK: usize = 64;

/// An id that stays over restarts, reinstalls and other host names: made of the machine's own id in such a way that it
/// does not tell that one, which is a secret (machine-id(5)). Without one, as in a container, the host's name.
pub fn default_device() -> Name {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let host = || std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    of_machine(&machine)
        .or_else(|| Name::from_phrase(host().trim()))
        .or_else(|| Name::new("lookout"))
        .expect("`lookout` is a name")
}

/// Twelve hexadecimal digits: among 10,000 devices, two are alike with a probability of one in five million. `None` if
/// the text is no machine id.
fn of_machine(text: &str) -> Option<Name> {
    let text = text.trim();
    if text.len() != 32 {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let id: Vec<u8> = (0..16).map(byte).collect::<Option<_>>()?;
    let hash = hmac_sha256(&id, APPLICATION);
    Name::new(&hash[..6].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// HMAC (RFC 2104) of a message with a key of at most one block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let padded = |with: u8| {
        let mut block = [with; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let hash: String =
            hmac_sha256(b"Jefe", b"what do ya want for nothing?").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hash, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_machine_always_has_the_same_id_and_does_not_tell_its_own() {
        let machine = "4f68bce3e8cd4db196e7fbcaf984b709\n";
        let id = of_machine(machine).expect("an id");
        assert_eq!((id.as_str().len(), Some(id.clone())), (12, of_machine(machine.trim())));
        assert!(!machine.contains(id.as_str()));
        assert_ne!(Some(id), of_machine("4f68bce3e8cd4db196e7fbcaf984b70a"));
        for none in ["", "uninitialized", "4f68bce3e8cd4db196e7fbcaf984b7", "4f68bce3e8cd4db196e7fbcaf984b7ää"] {
            assert_eq!(of_machine(none), None, "{none:?}");
        }
    }
}
