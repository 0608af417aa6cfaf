//! A transition as an event: one CloudEvents 1.0 object in JSON, as `config/domain.schema.json`
//! holds it. Fields are added, never renamed.

use serde_json::json;

use super::{Certified, Config, Domain, State, view};
use crate::clock::Timestamp;
use crate::event::{Ids, envelope};
use crate::store::Pending;

/// The journal's stream of these events.
pub const STREAM: u8 = 2;
/// The type of these events.
pub const TYPE: &str = "net.aksend.trk.domain";

/// The event that tells a transition; a first result comes `from` nowhere.
pub(super) fn event(
    domain: &Domain,
    from: Option<State>,
    (config, node): (&Config, &str),
    ids: &mut Ids,
    now: Timestamp,
) -> Pending {
    let id = ids.next(now);
    let name = domain.name.as_str();
    let data = json!({
        "domain": name,
        "sending_domain": domain.sending_domain().0,
        "account": domain.account,
        "from": from.map(State::name),
        "to": domain.state.name(),
        "reason": domain.reason.code(),
        "detail": domain.detail,
        "who": domain.reason.who().name(),
        "record": view::record(domain, config),
        "certificate": domain.certificate.as_ref().map(Certified::object),
        "node": node,
    });
    Pending {
        id: *id.as_bytes(),
        stream: STREAM,
        time: now,
        key: name.as_bytes().to_vec(),
        body: envelope(&id, TYPE, name, now, data),
    }
}
