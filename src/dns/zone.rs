//! The zone's own servers, each asked for itself.

use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;

use super::{
    Answer, Data, Failure, Kind, Lookup, Name, Question, Reply, Resolver, ServerReply, ZoneReply,
};

/// Asks each server of the zone that holds the question's name.
pub(super) async fn ask(resolver: &Resolver, question: &Question) -> Result<ZoneReply, Failure> {
    let (zone, mut servers) = cut(resolver, &question.name).await?;
    servers.sort();
    servers.dedup();
    servers.truncate(SERVERS);
    let asked = servers.into_iter().map(|server| async move {
        let (address, result) = ask_one(resolver, &server, question).await;
        ServerReply { server, address, result }
    });
    Ok(ZoneReply { zone, servers: join_all(asked).await })
}

/// The zone that holds a name, and its servers' names: the nearest name from `name` upwards that
/// has NS records of its own. An absence tells the zone that it was looked up in, which spares
/// the names between.
async fn cut(resolver: &Resolver, name: &Name) -> Result<(Name, Vec<Name>), Failure> {
    // Whether it is an alias is asked first: for other records a resolver would follow it, into a
    // circle perhaps. An alias begins no zone (RFC 1034 §3.6.2).
    let reply = resolver.ask(&Question::new(name, Kind::Cname)).await?;
    let mut next = match (&reply.answer, reply.zone) {
        (Answer::Found(_), _) => name.parent(),
        (_, Some(zone)) if name.is_within(&zone) => Some(zone),
        _ => Some(name.clone()),
    };
    while let Some(at) = next {
        let reply = resolver.ask(&Question::new(&at, Kind::Ns)).await?;
        // Behind an alias the records are of another name.
        let is_own = reply.aliases.is_empty();
        if let (Answer::Found(records), true) = (&reply.answer, is_own) {
            let servers = records.iter().filter_map(|record| match &record.data {
                Data::Ns(server) => Some(server.clone()),
                _ => None,
            });
            return Ok((at, servers.collect()));
        }
        let parent = at.parent();
        next = match reply.zone {
            Some(zone) if is_own && zone != at && at.is_within(&zone) => Some(zone),
            _ => parent,
        };
    }
    Err(Failure::Lame)
}

/// Asks one server at its addresses, until one answers.
async fn ask_one(
    resolver: &Resolver,
    server: &Name,
    question: &Question,
) -> (Option<SocketAddr>, Result<Reply, Failure>) {
    let lookup: &dyn Lookup = resolver;
    let addresses = match lookup.addresses(server).await {
        Ok(addresses) => addresses,
        Err(failure) => return (None, Err(failure)),
    };
    let mut told = (None, Err(Failure::Unreachable));
    for address in chosen(&addresses) {
        let address = SocketAddr::new(address, resolver.zone_port());
        let result = resolver.ask_server(address, question).await;
        let is_final = !matches!(result, Err(Failure::TimedOut | Failure::Unreachable));
        if is_final || told.0.is_none() {
            told = (Some(address), result);
        }
        if is_final {
            break;
        }
    }
    told
}

/// The first address of each family: a server that is silent on both is silent.
fn chosen(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let four = addresses.iter().find(|address| address.is_ipv4());
    let six = addresses.iter().find(|address| address.is_ipv6());
    four.into_iter().chain(six).copied()
}

/// Servers of a zone that are asked; the root has 13, and nobody needs more.
const SERVERS: usize = 13;
