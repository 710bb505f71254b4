//! `verify.py`, as one process that is asked about one folder after the other.

use super::sample;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Imports the verifier and answers each line, a folder, with a line, the verdict.
const DRIVER: &str = r#"
import importlib.util, sys
spec = importlib.util.spec_from_file_location("verify", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
log, witness = module.vkey(sys.argv[2]), module.vkey(sys.argv[3])
for folder in sys.stdin:
    try:
        module.verify(folder.rstrip("\n"), log, [witness])
        print("intact", flush=True)
    except module.Damage as damage:
        kind, index = damage.args
        print(kind if index is None else f"{kind} at {index}", flush=True)
"#;

pub struct Python {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

pub const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/verify.py");

impl Python {
    pub fn start() -> Self {
        let mut child = Command::new("python3")
            .args(["-B", "-c", DRIVER, VERIFIER])
            .arg(sample::log().public().to_string())
            .arg(sample::witness().public().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Python {
            ask: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    pub fn verdict(&mut self, folder: &Path) -> String {
        writeln!(self.ask, "{}", folder.display()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(answer.ends_with('\n'), "verify.py ended without a verdict");
        answer.trim_end().to_owned()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
