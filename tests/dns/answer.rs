//! From a question to the message that answers it.

use hickory_net::proto::op::{Edns, Message, ResponseCode};
use hickory_net::proto::rr::{RData, Record, RecordType};

use super::records::{Held, Records, name, plain, soa};

/// The answer to `request`. A resolver follows CNAMEs everywhere and has no authority; a zone's
/// own server has, and refuses what it does not hold.
pub(super) fn answer(request: &Message, records: &Records, is_resolver: bool) -> Message {
    let mut message = begun(request);
    message.metadata.recursion_available = is_resolver;
    message.metadata.authoritative = !is_resolver;
    let Some(query) = request.queries.first() else {
        message.metadata.response_code = ResponseCode::FormErr;
        return message;
    };
    let mut at = plain(query.name());
    for _ in 0..FOLLOWED {
        let Some((apex, minimum)) = records.zone_of(&at) else {
            if is_resolver {
                message.metadata.response_code = ResponseCode::NXDomain;
                message.authorities.push(Record::from_rdata(name("."), 60, soa(".", 60)));
            } else if message.answers.is_empty() {
                message.metadata.response_code = ResponseCode::Refused;
                message.metadata.authoritative = false;
            }
            return message;
        };
        let absence = Record::from_rdata(name(apex), minimum, soa(apex, minimum));
        let Held::Name(held) = records.held(&at) else {
            message.metadata.response_code = ResponseCode::NXDomain;
            message.authorities.push(absence);
            return message;
        };
        let wanted: Vec<_> =
            held.iter().filter(|data| data.record_type() == query.query_type()).collect();
        if at == apex && query.query_type() == RecordType::SOA {
            message.answers.push(absence);
            return message;
        }
        if !wanted.is_empty() {
            for data in wanted {
                message.answers.push(record(&at, records.ttl, data));
            }
            return message;
        }
        let alias = held.iter().find_map(|data| match data {
            RData::CNAME(target) => Some((data, plain(&target.0))),
            _ => None,
        });
        let Some((data, target)) = alias else {
            message.authorities.push(absence);
            return message;
        };
        message.answers.push(record(&at, records.ttl, data));
        at = target;
    }
    // A circle: resolvers give up so.
    if is_resolver {
        message.answers.clear();
        message.metadata.response_code = ResponseCode::ServFail;
    }
    message
}

/// A message with nothing but a code.
pub(super) fn bare(request: &Message, code: ResponseCode) -> Message {
    let mut message = begun(request);
    message.metadata.response_code = code;
    message
}

/// An answer to what was not understood: without the question.
pub(super) fn unread(request: &Message) -> Message {
    let mut message = bare(request, ResponseCode::FormErr);
    message.queries.clear();
    message.edns = None;
    message
}

/// An answer that says to ask somebody else, as a server does that lost its zone.
pub(super) fn referral(request: &Message) -> Message {
    let mut message = begun(request);
    message.authorities.push(Record::from_rdata(name("test"), 60, super::ns("ns.elsewhere.test")));
    message
}

/// An answer that did not fit.
pub(super) fn truncated(request: &Message) -> Message {
    let mut message = begun(request);
    message.metadata.truncation = true;
    message
}

fn begun(request: &Message) -> Message {
    let mut message = Message::response(request.metadata.id, request.metadata.op_code);
    message.queries.clone_from(&request.queries);
    message.metadata.recursion_desired = request.metadata.recursion_desired;
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(1_232);
        message.edns = Some(edns);
    }
    message
}

fn record(owner: &str, ttl: u32, data: &RData) -> Record {
    Record::from_rdata(name(owner), ttl, data.clone())
}

const FOLLOWED: usize = 12;
