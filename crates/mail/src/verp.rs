//! Variable envelope return paths: the address that a letter comes back to names its delivery.
//!
//! `bounces@example.com` becomes `bounces+<tag>@example.com`. The tag is the delivery's id and a code (HMAC-SHA256,
//! cut to 80 bits) that only this program can make, so that a report to such an address proves that it is
//! about a letter of ours. It is written in base 32, since servers on the way may change the case of letters.

use uuid::Uuid;

use crate::EmailAddress;
use crate::seal::Sealer;

/// Bytes of the code: 80 bits, which nobody guesses over a network.
const CODE: usize = 10;
const TAG: usize = 16 + CODE;
/// Characters of a tag.
const TAG_LEN: usize = (TAG * 8).div_ceil(5);
/// RFC 5321 4.5.3.1.1.
const MAX_LOCAL: usize = 64;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Whether an address has room for a tag in its local part, and none yet.
pub fn takes_tags(base: &EmailAddress) -> bool {
    base.local().is_ascii() && !base.local().contains('+') && base.local().len() < MAX_LOCAL - TAG_LEN
}

/// The address that this delivery comes back to. `base` itself if it has no room for a tag.
pub fn address(sealer: &Sealer, base: &EmailAddress, delivery: Uuid) -> EmailAddress {
    if !takes_tags(base) {
        return base.clone();
    }
    let mut tag = [0; TAG];
    tag[..16].copy_from_slice(delivery.as_bytes());
    tag[16..].copy_from_slice(&sealer.bounce_code(delivery)[..CODE]);
    let tagged = format!("{}+{}@{}", base.local(), encode(&tag), base.domain());
    tagged.parse().unwrap_or_else(|_| base.clone())
}

/// The delivery that an address names, if the tag is ours. Takes it with angle brackets or without.
pub fn delivery(sealer: &Sealer, address: &str) -> Option<Uuid> {
    let local = address.trim().trim_matches(['<', '>']).rsplit_once('@')?.0;
    let tag = decode(local.rsplit_once('+')?.1)?;
    let (id, code) = tag.split_first_chunk::<16>()?;
    let id = Uuid::from_bytes(*id);
    sealer.is_bounce_code(id, code).then_some(id)
}

fn encode(bytes: &[u8; TAG]) -> String {
    let mut out = String::with_capacity(TAG_LEN);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            out.push(char::from(ALPHABET[(bits >> held) as usize & 31]));
        }
    }
    if held > 0 {
        out.push(char::from(ALPHABET[(bits << (5 - held)) as usize & 31]));
    }
    out
}

fn decode(text: &str) -> Option<[u8; TAG]> {
    if text.len() != TAG_LEN {
        return None;
    }
    let mut out = [0; TAG];
    let (mut bits, mut held, mut filled) = (0_u32, 0, 0);
    for letter in text.bytes().map(|letter| letter.to_ascii_lowercase()) {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        bits = (bits << 5) | u32::try_from(value).ok()?;
        held += 5;
        if held >= 8 && filled < TAG {
            held -= 8;
            out[filled] = u8::try_from((bits >> held) & 0xff).ok()?;
            filled += 1;
        }
    }
    (filled == TAG).then_some(out)
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn sealer(text: &str) -> Sealer {
        Sealer::new(&SecretString::from(text.repeat(32)), &[]).unwrap()
    }

    #[test]
    fn only_our_own_tag_names_a_delivery_in_any_case() {
        let (ours, base) = (sealer("a"), "bounces@example.com".parse().unwrap());
        let id = Uuid::from_u128(0x0198_c0de_7e57_7000_8000_0000_0000_0001);
        let address = address(&ours, &base, id);
        assert!(address.local().len() <= MAX_LOCAL && address.domain() == "example.com");
        assert_eq!(delivery(&ours, address.as_str()), Some(id));
        assert_eq!(
            delivery(&ours, &format!("<{}>", address.as_str().to_uppercase())),
            Some(id)
        );
        assert_eq!(delivery(&sealer("b"), address.as_str()), None);
        let local = address.local();
        for at in 8..local.len() {
            let mut changed = local.as_bytes().to_vec();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            let changed = format!("{}@example.com", String::from_utf8(changed).unwrap());
            // The last letter has three bits to spare.
            assert!(
                delivery(&ours, &changed).is_none() || at == local.len() - 1,
                "{at}"
            );
        }
        for other in [
            "",
            "@",
            "bounces@example.com",
            "bounces+@example.com",
            "a+b@c",
            "bounces+ы@example.com",
        ] {
            assert_eq!(delivery(&ours, other), None, "{other}");
        }
    }

    #[test]
    fn an_address_without_room_stays_as_it_is() {
        let long: EmailAddress = format!("{}@example.com", "b".repeat(30)).parse().unwrap();
        assert!(!takes_tags(&long));
        assert_eq!(address(&sealer("a"), &long, Uuid::nil()), long);
        assert!(!takes_tags(&"a+b@example.com".parse().unwrap()));
    }

    #[test]
    fn a_code_of_the_secret_before_still_counts() {
        let base = "bounces@example.com".parse().unwrap();
        let old = address(&sealer("a"), &base, Uuid::max());
        let both = Sealer::new(
            &SecretString::from("b".repeat(32)),
            &[SecretString::from("a".repeat(32))],
        );
        assert_eq!(delivery(&both.unwrap(), old.as_str()), Some(Uuid::max()));
    }
}
