//! From questions to hickory's messages, and from its messages to replies.

use std::time::Duration;

use hickory_net::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_net::proto::rr::{self, RData, RecordType};
use hickory_net::proto::serialize::binary::DecodeError;

use super::{Answer, Caa, Data, Failure, Kind, Name, Question, Record, Reply, Soa};

/// What a server is to do beyond what it knows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recursion {
    /// Nothing: it is a zone's own server.
    None,
    /// Ask others, and refuse what does not validate.
    Checked,
    /// Ask others, and pass on what does not validate.
    Unchecked,
}

/// The request for a question.
pub(super) fn request(
    question: &Question,
    recursion: Recursion,
    edns: bool,
) -> Result<Message, Failure> {
    // A name of ours always fits, so this fails for nothing that we ask.
    let labels = question.name.labels().map(str::as_bytes);
    let mut name = rr::Name::from_labels(labels).map_err(|_| Failure::Malformed)?;
    name.set_fqdn(true);
    let mut message = Message::query();
    message.queries.push(Query::query(name, record_type(question.kind)));
    message.metadata.recursion_desired = recursion != Recursion::None;
    message.metadata.checking_disabled = recursion == Recursion::Unchecked;
    if edns {
        let mut extension = Edns::new();
        extension.set_max_payload(PAYLOAD);
        message.edns = Some(extension);
    }
    Ok(message)
}

/// Reads a message.
pub(super) fn message(bytes: &[u8]) -> Result<Message, Failure> {
    let message = match Message::from_vec(bytes) {
        // One record without data, such as a TXT record of no strings, is no reason to hear none
        // of the others. hickory takes it in updates only (RFC 2136 §2.4), and [`record`] leaves
        // it out.
        Err(DecodeError::InvalidEmptyRecord) => {
            let mut bytes = bytes.to_vec();
            if let Some(flags) = bytes.get_mut(2) {
                *flags = *flags & !OPCODE | UPDATE;
            }
            Message::from_vec(&bytes)
        }
        read => read,
    };
    message.map_err(|_| Failure::Malformed)
}

/// Whether a message is the answer to a request, and nobody's guess at one (RFC 5452 §9.1). A
/// server that could not read the request does not repeat its question.
pub(super) fn answers(message: &Message, request: &Message) -> bool {
    let is_unread = message.metadata.response_code == ResponseCode::FormErr;
    message.metadata.message_type == MessageType::Response
        && message.metadata.id == request.metadata.id
        && (message.queries == request.queries || is_unread && message.queries.is_empty())
}

/// What a message says to a question.
pub(super) fn reply(message: &Message, question: &Question) -> Result<Reply, Failure> {
    match message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        ResponseCode::ServFail => return Err(Failure::ServerFailure),
        ResponseCode::Refused => return Err(Failure::Refused),
        code => return Err(Failure::Other(code.into())),
    }
    let answers: Vec<_> = message.answers.iter().filter_map(record).collect();
    let (last, aliases) = followed(&answers, question)?;
    let is_authoritative = message.metadata.authoritative;
    let ttl_of_aliases = answers
        .iter()
        .filter(|record| matches!(record.data, Data::Cname(_)))
        .map(|record| record.ttl)
        .min()
        .unwrap_or(u32::MAX);
    let found: Vec<_> = answers
        .iter()
        .filter(|record| record.name == last && kind(&record.data) == question.kind)
        .cloned()
        .collect();
    let soa = message.authorities.iter().filter_map(record).find_map(|record| match record.data {
        Data::Soa(soa) => Some((record.name, record.ttl.min(soa.minimum))),
        _ => None,
    });
    let zone = soa.as_ref().map(|(zone, _)| zone.clone());
    let ttl = if found.is_empty() {
        // Without a SOA an absence is not to be remembered (RFC 2308 §5).
        soa.as_ref().map_or(0, |(_, ttl)| *ttl)
    } else {
        found.iter().map(|record| record.ttl).min().unwrap_or_default()
    };
    let answer = if !found.is_empty() {
        Answer::Found(found)
    } else if message.metadata.response_code == ResponseCode::NXDomain {
        Answer::NoName
    } else if !aliases.is_empty() && soa.is_none() {
        Answer::Elsewhere
    } else if soa.is_none() && !is_authoritative && refers(message) {
        // A referral says who to ask instead: this server knows nothing of it.
        return Err(Failure::Lame);
    } else {
        Answer::NoData
    };
    let ttl = Duration::from_secs(u64::from(ttl.min(ttl_of_aliases)));
    Ok(Reply { answer, aliases, zone, is_authoritative, ttl })
}

/// The name at the end of the CNAMEs in an answer, and those names.
fn followed(answers: &[Record], question: &Question) -> Result<(Name, Vec<Name>), Failure> {
    let (mut last, mut aliases) = (question.name.clone(), Vec::new());
    if question.kind == Kind::Cname {
        return Ok((last, aliases));
    }
    while let Some(next) = answers.iter().find_map(|record| match &record.data {
        Data::Cname(target) if record.name == last => Some(target),
        _ => None,
    }) {
        if *next == question.name || aliases.contains(next) {
            return Err(Failure::Endless);
        }
        aliases.push(next.clone());
        last = next.clone();
    }
    Ok((last, aliases))
}

fn refers(message: &Message) -> bool {
    message.authorities.iter().any(|record| matches!(record.data, RData::NS(_)))
}

/// A record as ours; `None` for what we never ask for.
fn record(record: &rr::Record) -> Option<Record> {
    let data = match &record.data {
        RData::A(address) => Data::A(address.0),
        RData::AAAA(address) => Data::Aaaa(address.0),
        RData::CAA(caa) => Data::Caa(Caa {
            flags: caa.reserved_flags | if caa.issuer_critical { 128 } else { 0 },
            tag: caa.tag.clone(),
            value: caa.value.clone(),
        }),
        RData::CNAME(target) => Data::Cname(name(target)),
        RData::MX(mx) => Data::Mx { preference: mx.preference, exchange: name(&mx.exchange) },
        RData::NS(server) => Data::Ns(name(server)),
        RData::PTR(target) => Data::Ptr(name(target)),
        RData::SOA(soa) => Data::Soa(Soa {
            primary: name(&soa.mname),
            responsible: name(&soa.rname),
            serial: soa.serial,
            minimum: soa.minimum,
        }),
        RData::TXT(text) => Data::Txt(text.txt_data.iter().map(|part| part.to_vec()).collect()),
        RData::Unknown { code, rdata } => Data::Other(other(*code)?, rdata.anything.clone()),
        _ => return None,
    };
    Some(Record { name: name(&record.name), ttl: record.ttl, data })
}

fn other(code: RecordType) -> Option<Kind> {
    [Kind::Ds, Kind::Spf].into_iter().find(|kind| record_type(*kind) == code)
}

/// A name as ours. A label with a dot or with bytes that are no text cannot be one of ours, so
/// its odd bytes are escaped (RFC 1035 §5.1): it then equals nothing that we ask for.
pub(super) fn name(name: &rr::Name) -> Name {
    let mut text = String::new();
    for label in name.iter() {
        if !text.is_empty() {
            text.push('.');
        }
        match std::str::from_utf8(label) {
            Ok(plain) if !plain.contains('.') => text.push_str(plain),
            _ => {
                for byte in label {
                    match byte {
                        b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                            text.push(char::from(*byte));
                        }
                        odd => text.push_str(&format!("\\{odd:03}")),
                    }
                }
            }
        }
    }
    // Escapes can make a label too long for us; nobody ever asked for such a name.
    Name::parse(&text).unwrap_or_else(|_| Name::root())
}

fn kind(data: &Data) -> Kind {
    match data {
        Data::A(_) => Kind::A,
        Data::Aaaa(_) => Kind::Aaaa,
        Data::Caa(_) => Kind::Caa,
        Data::Cname(_) => Kind::Cname,
        Data::Mx { .. } => Kind::Mx,
        Data::Ns(_) => Kind::Ns,
        Data::Other(kind, _) => *kind,
        Data::Ptr(_) => Kind::Ptr,
        Data::Soa(_) => Kind::Soa,
        Data::Txt(_) => Kind::Txt,
    }
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Caa => RecordType::CAA,
        Kind::Cname => RecordType::CNAME,
        // Without its DNSSEC feature hickory knows the type, and reads its data as bytes.
        Kind::Ds => RecordType::DS,
        Kind::Mx => RecordType::MX,
        Kind::Ns => RecordType::NS,
        Kind::Ptr => RecordType::PTR,
        Kind::Soa => RecordType::SOA,
        Kind::Spf => RecordType::Unknown(99),
        Kind::Txt => RecordType::TXT,
    }
}

/// Bytes of an answer over UDP that cross the Internet in one piece (RFC 9715).
const PAYLOAD: u16 = 1_232;
/// The bits of the third byte of a message that say what it is for (RFC 1035 §4.1.1), and what
/// they are in an update (RFC 2136 §1.3).
const OPCODE: u8 = 0b0111_1000;
const UPDATE: u8 = 5 << 3;
