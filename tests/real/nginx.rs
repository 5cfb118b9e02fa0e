//! nginx, with what a test says in its configuration.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::calls::ms;
use crate::process::{Process, folder, free_port};
use crate::program;

/// The variable that says where it is.
pub(crate) const PROGRAM: &str = "MAINSTAY_NGINX";

pub(crate) struct Nginx {
    /// None while it is stopped.
    process: Option<Process>,
    folder: PathBuf,
    port: u16,
}

impl Nginx {
    /// With this in `http`, and this in its one `server`.
    pub(crate) async fn starts(http: &str, server: &str) -> Self {
        let mut nginx = Self { process: None, folder: folder("nginx"), port: free_port() };
        let of = |name: &str| nginx.folder.join(name).display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", of(kind)))
            .concat();
        let configuration = format!(
            "daemon off;\nworker_processes 1;\npid {pid};\nerror_log {errors} warn;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n{temporary}log_format one '$status $request_method $request_uri';\n\
             access_log {log} one;\n{http}\nserver {{\nlisten 127.0.0.1:{port};\n{server}\n}}\n}}\n",
            pid = of("pid"),
            errors = of("errors"),
            log = of("log"),
            port = nginx.port,
        );
        fs::write(nginx.folder.join("nginx.conf"), configuration).unwrap();
        nginx.comes_back().await;
        nginx
    }

    pub(crate) async fn comes_back(&mut self) {
        let mut command = Command::new(program(PROGRAM).unwrap());
        command.arg("-p").arg(&self.folder).arg("-c").arg(self.folder.join("nginx.conf"));
        command.arg("-e").arg(self.folder.join("errors"));
        self.process = Some(Process::starts(&mut command, self.port).await);
    }

    /// Cuts all connections; its port refuses when this returns.
    pub(crate) fn goes_down(&mut self) {
        self.process = None;
    }

    /// What `nginx -s reload` does: a new worker, and the old one leaves when it has answered.
    pub(crate) fn reloads(&self) {
        self.process.as_ref().unwrap().told(Signal::HUP);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A status, a method and a path for each request that it has answered.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.join("log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    /// The same, once there are so many: it writes of an answer after it has sent it.
    pub(crate) async fn log_of(&self, requests: usize) -> Vec<String> {
        while self.log().len() < requests {
            tokio::time::sleep(ms(10)).await;
        }
        self.log()
    }

    /// How many it has answered like that.
    pub(crate) fn answered(&self, status: u16) -> usize {
        self.log().iter().filter(|line| line.starts_with(&format!("{status} "))).count()
    }
}
