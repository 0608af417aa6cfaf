//! Rules of CAA records.

rules! {
    T05: "a CAA record is of the grammar, and known to CAs",
        "RFC 8659 §4, RFC 8657",
        "A CA must refuse to issue at a critical record that it does not know, and takes an issue value that it cannot read for a refusal.";
}
