//! Rows of which links are minted, each with a number in its message.

use serde_json::{Value, json};

use super::process::Node;

/// The row with a number, as a line.
pub fn row(serial: usize) -> String {
    let url = format!("https://shop.example/item/{serial}?utm_source=mail&utm_medium=welcome");
    let row = json!({
        "host": HOST, "url": url, "message": format!("m-{serial}"), "campaign": "spring sale",
        "recipient": format!("r-{serial}"), "link_position": serial, "meta": { "segment": "gold" },
    });
    format!("{row}\n")
}

/// Holds a line of the answer of `POST /v1/links` to the row with a number.
pub fn check_answer(node: &Node, answer: &str, serial: usize) {
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["line"], serial, "{answer}");
    let link = answer["link_url"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let mut says = node.mint().says(link);
    assert_eq!(says["kind"].take(), "click");
    says.as_object_mut().unwrap().remove("kind");
    assert_eq!(format!("{says}\n"), row(serial), "{answer}");
}

const HOST: &str = "trk.example.com";
