//! Exec specs and the exec helper's steps.

use crate::error::{About, Result, thrown};
use napi_derive::napi;
use nix::errno::Errno;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::os::fd::IntoRawFd;
use sysmaster_link::{ExecSpec, ExecStep};

/// One step of the exec helper.
#[napi(object)]
pub struct Step {
    /// Its number in `spawn-failed`.
    pub number: u32,
    /// Its name in kebab-case.
    pub name: String,
    /// What it does, for a sentence that begins with "cannot".
    pub words: String,
    /// systemd's exit code for it.
    pub exit_code: u32,
}

/// Put an exec spec, given as JSON, into a sealed memfd; the descriptor is the caller's.
#[napi]
pub fn seal_spec(json: String) -> Result<i32> {
    let spec: ExecSpec =
        serde_json::from_str(&json).map_err(|why| thrown(Errno::EINVAL, format!("exec spec: {why}")))?;
    let bytes = postcard::to_allocvec(&spec).map_err(|why| thrown(Errno::EINVAL, format!("exec spec: {why}")))?;
    let memfd = memfd_create("exec-spec", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).about("memfd_create")?;
    let mut written = 0;
    while written < bytes.len() {
        // With an explicit offset, so that the reader finds the descriptor at its beginning.
        match rustix::io::pwrite(&memfd, &bytes[written..], written as u64).about("exec spec")? {
            0 => return Err(thrown(Errno::EIO, "exec spec")),
            count => written += count,
        }
    }
    fcntl_add_seals(&memfd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)
        .about("sealing the exec spec")?;
    Ok(memfd.into_raw_fd())
}

/// Every step of the exec helper, in order. Number 0, the fork itself, is not among them.
#[napi]
pub fn exec_steps() -> Result<Vec<Step>> {
    ExecStep::ALL
        .into_iter()
        .map(|step| {
            let name = serde_json::to_value(step).map_err(|why| thrown(Errno::EINVAL, why))?;
            Ok(Step {
                number: u32::from(step as u16),
                name: name.as_str().unwrap_or_default().to_string(),
                words: step.words().to_string(),
                exit_code: u32::from(step.exit_code()),
            })
        })
        .collect()
}
