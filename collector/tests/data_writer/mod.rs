//! The application's side of `data_model`: a log file, what is written to it and which file holds it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The application's side: what it wrote, and what of it must arrive.
pub struct Writer {
    pub path: PathBuf,
    pub file: Option<File>,
    pub next: usize,
    /// The unterminated text at the end of the file that is open.
    pub begun: Option<String>,
    pub lines: Vec<String>,
    /// The lines in every file that has a name, by inode.
    pub on_disk: BTreeMap<u64, Vec<String>>,
}

impl Writer {
    pub fn file(&mut self) -> &mut File {
        self.file.get_or_insert_with(|| {
            OpenOptions::new().create(true).append(true).open(&self.path).expect("open the log")
        })
    }

    fn text(&mut self, width: usize) -> String {
        self.next += 1;
        format!("{}-{}", self.next, "x".repeat(width))
    }

    pub fn append(&mut self, lines: usize, width: usize) {
        for _ in 0..lines {
            let text = self.text(width);
            let line = match self.begun.take() {
                Some(begun) => begun + &text,
                None => text.clone(),
            };
            self.file().write_all(format!("{text}\n").as_bytes()).expect("write");
            self.note_line(line);
        }
    }

    pub fn note_line(&mut self, line: String) {
        let inode = inode(&self.file().metadata().expect("stat"));
        self.on_disk.entry(inode).or_default().push(line.clone());
        self.lines.push(line);
    }

    pub fn begin(&mut self, width: usize) {
        let text = self.text(width);
        self.file().write_all(text.as_bytes()).expect("write");
        self.begun = Some(self.begun.take().unwrap_or_default() + &text);
    }

    /// The file is written no further: its unterminated end is a line of its own.
    pub fn close(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.note_line(begun);
        }
        self.file = None;
    }
}

pub fn inode(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

pub fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata().expect("stat");
    fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (open.dev(), open.ino()))
}

/// `a.log.1` → `a.log.2` and so on.
pub fn shift(logs: &Path) {
    let name = |n: usize| logs.join(format!("a.log.{n}"));
    let last = (1..).find(|n| !name(*n).exists()).expect("a free number");
    for n in (1..last).rev() {
        fs::rename(name(n), name(n + 1)).expect("rename");
    }
}
