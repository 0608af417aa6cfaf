//! Rules of what stands around a domain's mail.

rules! {
    X01: "the domain takes mail",
        "RFC 5321 §5.1, RFC 7505 §4.2",
        "Bounces, replies and complaints are lost, and some receivers refuse mail of a domain that takes none.";
    X02: "a policy for TLS on the way in is announced once, and rightly",
        "RFC 8461 §3.1",
        "Senders ignore an announcement of another form.";
    X03: "reports on TLS are asked for once, and rightly",
        "RFC 8460 §3",
        "Senders ignore a record of another form.";
    X04: "every server of the zone answers for it",
        "RFC 1912 §2.8, RFC 2182 §5",
        "While one server does not answer, some questions take seconds, and with one server alone a fault of it is everybody's.";
    X05: "the zone is signed",
        "RFC 4033 §3",
        "Without signatures answers can be forged on the way.";
    X06: "the domain exists",
        "RFC 2308 §2.1",
        "Without the domain nothing of it works; whoever registers it decides what does.";
    X07: "the policy for TLS that is announced can be fetched, and holds the domain's mail exchangers",
        "RFC 8461 §3.2, §3.3, §4.1",
        "Senders that enforce it do not deliver to a host that it does not name; what they cannot fetch protects nothing.";
}
