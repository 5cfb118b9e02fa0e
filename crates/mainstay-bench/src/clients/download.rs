//! A GiB over a line that breaks twenty times.

use std::fs::{self, File};
use std::io::{BufReader, Read};

use super::server::{CUTS, LENGTH, byte};
use super::{Process, run};
use crate::{Done, clock};

/// Downloads it in a process of its own, and looks at every byte that came.
pub(crate) fn all() -> Done {
    let server = Process::begin(&["serve-parts"])?;
    let file = std::env::temp_dir().join(format!("mainstay-bench-{}", std::process::id()));
    let path = file.to_string_lossy();
    let said = Process::begin(&["download", &server.said, &path])?.said.clone();
    println!("{said}");
    let is_right = is_right(&file);
    fs::remove_file(&file)?;
    match is_right? {
        true => {
            println!("{LENGTH} bytes, each as it should be");
            Ok(())
        }
        false => Err("the file is not the one that was served".into()),
    }
}

fn is_right(file: &std::path::Path) -> std::io::Result<bool> {
    let mut bytes = BufReader::with_capacity(1 << 20, File::open(file)?);
    let (mut at, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        let read = bytes.read(&mut piece)?;
        if read == 0 {
            return Ok(at == LENGTH);
        }
        for got in &piece[..read] {
            if *got != byte(at) {
                return Ok(false);
            }
            at += 1;
        }
    }
}

/// Downloads it and says what it cost.
pub(super) fn tell(url: &str, file: &str) -> Done {
    let done = crate::block_on(async {
        let client = mainstay::client::Client::builder().reqwest(reqwest::ClientBuilder::no_proxy);
        let done = client.build()?.get(url).download().to_file(file).await?;
        Ok::<_, Box<dyn std::error::Error>>(done)
    })?;
    let (resumes, restarts) = (done.resumes(), done.restarts());
    println!(
        "{} bytes, {CUTS} cuts, {resumes} resumed, {restarts} restarted; at most {:.1} MiB resident, {:.2} s of CPU",
        done.bytes(),
        run::resident()?,
        clock::computed().as_secs_f64(),
    );
    Ok(())
}
