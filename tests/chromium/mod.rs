//! A headless Chromium, spoken to over its debugging pipe: a page is opened, looked at, clicked.
//!
//! The pipe is a pair of named pipes that a shell puts on the descriptors 3 and 4; a message is a
//! JSON object of the DevTools protocol, ended by a zero byte.

#![allow(dead_code, reason = "each test uses the part it needs")]
#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser with a profile of its own. Killed when dropped.
pub struct Browser {
    child: Child,
    pipe: RefCell<Pipe>,
    folder: TempDir,
}

struct Pipe {
    to: File,
    from: BufReader<File>,
    last: u64,
    /// What was told unasked.
    told: Vec<Value>,
}

/// One page of a browser.
pub struct Page<'a> {
    browser: &'a Browser,
    target: String,
    session: String,
}

impl Browser {
    /// Whether there is a browser, and what it needs to trust an authority; says so when not.
    pub fn is_here() -> bool {
        let missing = ["chromium", "certutil"].into_iter().find(|program| {
            let line = format!("command -v {program}");
            let found = Command::new("sh").args(["-c", &line]).stdout(Stdio::null()).status();
            !found.unwrap().success()
        });
        if let Some(program) = missing {
            println!("SKIPPED {program} is missing");
        }
        missing.is_none()
    }

    /// Starts a browser that trusts, besides the usual ones, the certificate authority in a file.
    pub fn start(authority: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (to, from) = (folder.path().join("to"), folder.path().join("from"));
        for pipe in [&to, &from] {
            mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        }
        let store = folder.path().join(".pki/nssdb");
        fs::create_dir_all(&store).unwrap();
        if let Some(authority) = authority {
            let database = format!("sql:{}", store.display());
            for arguments in [&["-N", "--empty-password"][..], &["-A", "-t", "C,,", "-n", "test"]] {
                let mut command = Command::new("certutil");
                command.args(["-d", &database]).args(arguments);
                if arguments[0] == "-A" {
                    command.arg("-i").arg(authority);
                }
                assert!(command.status().expect("certutil is needed").success());
            }
        }
        let line = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
                    --no-first-run --disable-background-networking --remote-debugging-pipe \
                    --user-data-dir=\"$HOME/profile\" 3<\"$HOME/to\" 4>\"$HOME/from\"";
        let child = Command::new("sh")
            .args(["-c", line])
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("errors")).unwrap())
            .spawn()
            .unwrap();
        // Each opening waits for the other side's.
        let to = OpenOptions::new().write(true).open(to).unwrap();
        let from = BufReader::new(File::open(from).unwrap());
        Self { child, pipe: RefCell::new(Pipe { to, from, last: 0, told: Vec::new() }), folder }
    }

    /// Opens a page at an address.
    pub fn open(&self, address: &str) -> Page<'_> {
        let target = self.ask(None, "Target.createTarget", json!({ "url": address }));
        self.attach(target["targetId"].as_str().unwrap())
    }

    /// The page whose address contains `part`, once there is one.
    pub fn page_at(&self, part: &str) -> Page<'_> {
        until(&format!("a page at {part}"), || {
            let targets = self.ask(None, "Target.getTargets", json!({}));
            let is_page = |target: &&Value| {
                target["type"] == "page" && target["url"].as_str().unwrap().contains(part)
            };
            let found = targets["targetInfos"].as_array().unwrap().iter().find(is_page)?.clone();
            Some(self.attach(found["targetId"].as_str().unwrap()))
        })
    }

    fn attach(&self, target: &str) -> Page<'_> {
        let asked = json!({ "targetId": target, "flatten": true });
        let attached = self.ask(None, "Target.attachToTarget", asked);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        Page { browser: self, target: target.to_owned(), session }
    }

    /// Lets pages reach the clipboard.
    pub fn allow_clipboard(&self) {
        let permissions = json!(["clipboardReadWrite", "clipboardSanitizedWrite"]);
        self.ask(None, "Browser.grantPermissions", json!({ "permissions": permissions }));
    }

    /// Sends a command and waits for its answer; events in between are kept.
    fn ask(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.try_to(session, method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_to(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        let pipe = &mut *self.pipe.borrow_mut();
        pipe.last += 1;
        let mut message = json!({ "id": pipe.last, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        pipe.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut answer = Vec::new();
            pipe.from.read_until(0, &mut answer).unwrap();
            assert_eq!(answer.pop(), Some(0), "the browser ended: {}", self.said());
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == pipe.last {
                let is_good = answer["error"].is_null();
                return if is_good { Ok(answer["result"].clone()) } else { Err(answer) };
            }
            if answer["method"].is_string() {
                pipe.told.push(answer);
            }
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Page<'_> {
    /// What an expression is worth in the page.
    pub fn value(&self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let found = self.ask("Runtime.evaluate", asked);
        assert!(found["exceptionDetails"].is_null(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page, which may still be on its way.
    pub fn wait_for(&self, expression: &str) {
        let asked = json!({ "expression": expression, "returnByValue": true });
        until(expression, || {
            let session = Some(self.session.as_str());
            let found = self.browser.try_to(session, "Runtime.evaluate", asked.clone());
            (found.ok()?["result"]["value"] == true).then_some(())
        });
    }

    /// Presses and releases the mouse on the middle of an element.
    pub fn click(&self, selector: &str) {
        let rectangle = self.value(&format!(
            "(() => {{ const element = document.querySelector({selector:?}); \
             element.scrollIntoView(); const r = element.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let asked = json!({
                "type": kind, "x": rectangle[0], "y": rectangle[1],
                "button": "left", "clickCount": 1,
            });
            self.ask("Input.dispatchMouseEvent", asked);
        }
    }

    /// Has the page told of requests and of what its policy forbids, from now on.
    pub fn listen(&self) {
        for domain in ["Network.enable", "Audits.enable", "Log.enable"] {
            self.ask(domain, json!({}));
        }
    }

    /// What was told of by this name since [`Page::listen`].
    pub fn told(&self, method: &str) -> Vec<Value> {
        let pipe = self.browser.pipe.borrow();
        let own = pipe.told.iter().filter(|event| {
            event["sessionId"] == self.session.as_str() && event["method"] == method
        });
        own.map(|event| event["params"].clone()).collect()
    }

    /// Goes to an address.
    pub fn go(&self, address: &str) {
        self.ask("Page.navigate", json!({ "url": address }));
    }

    /// Runs no script of the page's from its next load on.
    pub fn forbid_scripts(&self) {
        self.ask("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    /// Prefers `light` or `dark` colours.
    pub fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.ask("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// Keeps a picture of the whole page, however long, as PNG.
    pub fn whole_picture(&self, file: &Path) {
        let asked = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.ask("Page.captureScreenshot", asked);
        fs::write(file, STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// Makes the window as large as this, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        let asked = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.ask("Emulation.setDeviceMetricsOverride", asked);
        self.ask("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
    }

    /// Keeps a picture of the window as PNG.
    pub fn picture(&self, file: &Path) {
        let shot = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        fs::write(file, STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// Closes the page.
    pub fn close(self) {
        self.browser.ask(None, "Target.closeTarget", json!({ "targetId": self.target }));
    }

    fn ask(&self, method: &str, params: Value) -> Value {
        self.browser.ask(Some(&self.session), method, params)
    }
}

/// Asks again and again until there is an answer; panics when [`PATIENCE`] ends.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
