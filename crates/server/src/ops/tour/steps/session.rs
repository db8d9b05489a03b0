//! A session's life, its retries and its theft.

use crate::ops::tour::report::{Seen, Unmet};
use crate::ops::tour::traveller::{Pair, Traveller};

pub(super) fn login(t: &mut Traveller) -> Seen {
    let answer = t.try_login()?.expect(200)?;
    t.session = Pair::of(&answer)?;
    Ok(format!(
        "200, an access token for {} s",
        answer.json()["expires_in"]
    ))
}

pub(super) fn me(t: &mut Traveller) -> Seen {
    let me = t
        .client
        .get("/api/users/me", Some(&t.session.access))?
        .expect(200)?;
    let email = me.need("/email")?;
    if email != t.email {
        return Err(Unmet::new(&t.email, email));
    }
    Ok(format!("200, {email}"))
}

pub(super) fn refresh(t: &mut Traveller) -> Seen {
    let next = Pair::of(&t.try_refresh(&t.session.refresh)?.expect(200)?)?;
    if next.refresh == t.session.refresh {
        return Err(Unmet::new("a successor", "the same refresh token"));
    }
    t.spent.push(std::mem::replace(&mut t.session, next));
    me(t)?;
    Ok("200, a successor, and it reads /me".to_owned())
}

/// The answer to a refresh is lost on its way, so the client asks again with what it has.
pub(super) fn ask_again(t: &mut Traveller) -> Seen {
    let lost = Pair::of(&t.try_refresh(&t.session.refresh)?.expect(200)?)?;
    let again = Pair::of(&t.try_refresh(&t.session.refresh)?.expect(200)?)?;
    if lost.refresh != again.refresh {
        return Err(Unmet::new("the same successor twice", "two successors"));
    }
    t.spent.push(std::mem::replace(&mut t.session, again));
    me(t)?;
    Ok("the same successor twice".to_owned())
}

/// The first refresh token of all has long had a successor: only a thief still has a use for it.
pub(super) fn replay(t: &mut Traveller) -> Seen {
    let oldest = t.spent.first().cloned().unwrap_or_default();
    let code = t
        .try_refresh(&oldest.refresh)?
        .refused(401, &["token_revoked", "token_used"])?;
    t.refused(&t.session)?;
    Ok(format!("401 {code}, and the whole session has ended"))
}

pub(super) fn warning(t: &mut Traveller) -> Seen {
    let letter = t.inbox.wait(&t.client, "refresh_reuse_detected")?;
    Ok(format!("“{}”", letter.subject))
}
