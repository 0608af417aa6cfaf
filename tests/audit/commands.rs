//! What the commands print, and how they end.

use serde_json::Value;

use crate::scene::{published, spf_is};
use crate::waypost::{Ended, audit, audit_with};

#[test]
fn the_exit_code_tells_the_worst_finding() {
    for (arguments, code) in [
        (&["record", "v=spf1 ip4:198.51.101.0/24 ~all"][..], 0),
        (&["record", "v=spf1 ?all"], 0),
        (&["record", "v=spf1 +all"], 1),
        (&["record", "hello"], 2),
        (&["record", "hello", "--kind", "dmarc"], 1),
        (&["record"], 2),
        (&["record", "v=spf1 -all", "--kind", "x"], 2),
        (&["svg", "/nonexistent.svg"], 2),
        (&["svg"], 2),
        (&["spf-check", "--ip", "x", "--mail-from", "", "--helo", "h"], 2),
        (&["spf-check", "--ip", "192.0.2.1", "--helo", "h"], 2),
        (
            &[
                "spf-check",
                "--ip",
                "192.0.2.1",
                "--mail-from",
                "",
                "--helo",
                "h",
                "--resolver",
                "x",
            ],
            2,
        ),
    ] {
        let ended = audit(arguments);
        assert_eq!(ended.code, code, "{arguments:?} {ended:?}");
        assert_eq!(code == 2, !ended.err.is_empty(), "{arguments:?} {ended:?}");
        assert_eq!(code == 2, ended.out.is_empty(), "{arguments:?} {ended:?}");
    }
}

#[test]
fn a_fault_is_underlined() {
    let ended = audit(&["record", "v=spf1 inclued:a.example ~all"]);
    let lines: Vec<_> = ended.out.lines().collect();
    assert_eq!(lines[0], "spf: permerror at every receiver");
    assert!(lines[1].starts_with("error   S05  \"inclued:a.example\" is neither"), "{}", ended.out);
    let start = lines[2].find("inclued").unwrap();
    assert_eq!(lines[3].find('^'), Some(start), "{}", ended.out);
    assert_eq!(lines[3].trim_start(), "^".repeat("inclued:a.example".len()));
    assert_eq!(lines.last(), Some(&"1 error"));
}

#[test]
fn what_would_do_something_to_a_terminal_is_escaped_in_json() {
    let record = "v=spf1 a:\u{9b}2J\u{202e}x\u{7f} -all";
    let told = |ended: &Ended| {
        assert!(!ended.out.contains(['\u{9b}', '\u{202e}', '\u{7f}']), "{:?}", ended.out);
        assert!(ended.out.contains(r"\u009b2J\u202ex\u007f"), "{:?}", ended.out);
        serde_json::from_str::<Value>(&ended.out).unwrap()
    };
    let draft = told(&audit(&["record", record, "--kind", "spf", "--json"]));
    assert_eq!(draft["record"], record);
    let scene = published();
    spf_is(&scene.server, &[record]);
    let report = told(&scene.audit(&["example.com", "--json"]));
    assert_eq!(report["sections"][0]["found"], serde_json::json!([record]));
    let arguments = ["example.com", "www.example.com", "--json", "--depth", "core"];
    let both = scene.audit(&arguments).out;
    assert!(both.lines().count() == 2 && both.contains(r"\u202e"), "{both:?}");
    assert!(!both.contains('\u{202e}'), "{both:?}");
}

#[test]
fn nothing_that_a_record_holds_reaches_the_terminal_as_a_control() {
    let ended = audit(&["record", "v=spf1 a:\u{1b}[31m\u{202e}x\r -all\u{7}", "--kind", "spf"]);
    let odd = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!ended.out.contains(odd), "{:?}", ended.out);
    assert_eq!(ended.code, 1);
}

#[test]
fn json_is_one_object_with_the_fields_that_are_told() {
    let told = std::fs::read_to_string("docs/audit.md").unwrap();
    let ended = audit(&["record", "--json", "v=DMARC1; p=reject; mailto:a@example.com"]);
    let object: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(object["kind"], "dmarc");
    assert_eq!(object["status"], "error");
    assert_eq!(object["in_force"]["policy"], "reject");
    let finding = &object["findings"][0];
    assert_eq!(finding["rule"], "D05");
    assert_eq!(finding["record"], "v=DMARC1; p=reject; rua=mailto:a@example.com");
    assert_eq!((&finding["at"]["start"], &finding["at"]["end"]), (&20.into(), &40.into()));
    for object in [&object, finding, &object["in_force"]] {
        for field in object.as_object().unwrap().keys() {
            assert!(told.contains(&format!("`{field}`")), "docs/audit.md does not tell {field}");
        }
    }
    let ended = audit_with(&["svg", "--json", "-"], b"<svg/>");
    let object: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(object["images"][0]["status"], "error");
    assert_eq!(object["images"][0]["file"], "-");
}

#[test]
fn standard_input_is_read_for_a_dash() {
    let ended = audit_with(&["record", "-"], b"\"v=spf1 ip4:198.51.101.0/24\" \" ~all\"\n");
    assert_eq!((ended.code, ended.out.lines().last()), (0, Some("clean")), "{ended:?}");
    let ended = audit_with(&["record", "-"], b"v=spf1 \xff ~all");
    assert_eq!((ended.code, ended.err.contains("UTF-8")), (2, true), "{ended:?}");
    let ended = audit_with(&["record", "-"], &[b'x'; 70_000]);
    assert_eq!((ended.code, ended.err.contains("65535 bytes")), (2, true), "{ended:?}");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, IMAGE.as_bytes()).unwrap();
    for bytes in [IMAGE.as_bytes().to_vec(), packed.finish().unwrap()] {
        let ended = audit_with(&["svg", "-"], &bytes);
        assert_eq!((ended.code, ended.out.as_str()), (0, "-:\nclean\n"), "{ended:?}");
    }
}

#[test]
fn several_images_are_judged_and_the_worst_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.svg"), folder.path().join("bad.svg"));
    std::fs::write(&good, IMAGE).unwrap();
    std::fs::write(&bad, IMAGE.replace("</svg>", "\n  <script/></svg>")).unwrap();
    let ended = audit(&["svg", good.to_str().unwrap(), bad.to_str().unwrap()]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("good.svg:\nclean\n"), "{}", ended.out);
    assert!(ended.out.contains("line 2, column 3\n"), "{}", ended.out);
}

const IMAGE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.2\" baseProfile=\"tiny-ps\" \
    viewBox=\"0 0 96 96\" width=\"96\" height=\"96\"><title>a</title><desc>b</desc>\
    <rect width=\"96\" height=\"96\" fill=\"#fff\"/><circle cx=\"48\" cy=\"48\" r=\"9\"/></svg>";
