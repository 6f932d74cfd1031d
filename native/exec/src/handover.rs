//! Reading what init left on descriptor 0 (see `sysmaster_link`'s handover module).

use crate::failure::{At, Failure};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::fs::File;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use sysmaster_link::{ExecSpec, ExecStep, FDS_MAX, HANDOVER_LAST, HANDOVER_MORE, SPEC_VERSION};

/// More messages than this are a mistake: it is sixteen thousand descriptors.
const MESSAGES_MAX: usize = 64;
/// A longer spec is a mistake: the kernel takes no more arguments and environment than this by default.
const SPEC_MAX: u64 = 4 * 1024 * 1024;

/// Read the spec and the descriptors passed with it, in the order the spec counts them.
pub fn receive(socket: impl AsFd) -> Result<(ExecSpec, Vec<OwnedFd>), Failure> {
    let mut all = Vec::new();
    let mut last = false;
    for _ in 0..MESSAGES_MAX {
        let (marker, fds) = receive_one(&socket).at(ExecStep::Spec, "handover")?;
        all.extend(fds);
        match marker {
            Some(HANDOVER_MORE) => {}
            Some(HANDOVER_LAST) => {
                last = true;
                break;
            }
            _ => return Err(Failure::new(ExecStep::Spec, Errno::PROTO, "handover ends early")),
        }
    }
    if !last || all.is_empty() {
        return Err(Failure::new(ExecStep::Spec, Errno::PROTO, "handover without a spec"));
    }
    let passed = all.split_off(1);
    let memfd = all.pop().ok_or_else(|| Failure::new(ExecStep::Spec, Errno::PROTO, "handover without a spec"))?;
    Ok((read_spec(memfd)?, passed))
}

/// One message: its byte (none at the end of the socket) and its descriptors, close-on-exec.
fn receive_one(socket: impl AsFd) -> rustix::io::Result<(Option<u8>, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0_u8; 1];
    let got = rustix::io::retry_on_intr(|| {
        recvmsg(&socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let fds = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    Ok(((got.bytes == 1).then_some(byte[0]), fds))
}

fn read_spec(memfd: OwnedFd) -> Result<ExecSpec, Failure> {
    let file = File::from(memfd);
    let length = file.metadata().at(ExecStep::Spec, "spec")?.len();
    if length > SPEC_MAX {
        return Err(Failure::new(ExecStep::Spec, Errno::TOOBIG, format!("spec of {length} bytes")));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0).at(ExecStep::Spec, "spec")?;
    parse_spec(&bytes)
}

fn parse_spec(bytes: &[u8]) -> Result<ExecSpec, Failure> {
    // The version is the first field, so that a spec of another version is known as one before the rest is read.
    match postcard::take_from_bytes::<u16>(bytes) {
        Ok((SPEC_VERSION, _)) => {}
        Ok((other, _)) => {
            return Err(Failure::new(ExecStep::Spec, Errno::PROTONOSUPPORT, format!("spec version {other}")));
        }
        Err(error) => return Err(Failure::new(ExecStep::Spec, Errno::BADMSG, format!("spec: {error}"))),
    }
    match postcard::take_from_bytes(bytes) {
        Ok((spec, [])) => Ok(spec),
        Ok(_) => Err(Failure::new(ExecStep::Spec, Errno::BADMSG, "spec: bytes left over")),
        Err(error) => Err(Failure::new(ExecStep::Spec, Errno::BADMSG, format!("spec: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_comes_back_as_it_was_written() {
        let spec = ExecSpec { version: SPEC_VERSION, path: "/bin/true".into(), ..ExecSpec::default() };
        assert_eq!(parse_spec(&postcard::to_allocvec(&spec).unwrap()), Ok(spec));
    }

    #[test]
    fn a_spec_of_another_version_is_refused_by_name() {
        let bytes = postcard::to_allocvec(&(SPEC_VERSION + 1, "whatever else it holds")).unwrap();
        assert_eq!(parse_spec(&bytes).unwrap_err().detail, format!("spec version {}", SPEC_VERSION + 1));
    }

    #[test]
    fn no_cut_of_a_spec_is_taken_for_a_whole_one() {
        let spec = ExecSpec { version: SPEC_VERSION, argv: vec!["a".into(), "b".into()], ..ExecSpec::default() };
        let bytes = postcard::to_allocvec(&spec).unwrap();
        for length in 0..bytes.len() {
            assert!(parse_spec(&bytes[..length]).is_err(), "{length} bytes of {}", bytes.len());
        }
        assert!(parse_spec(&[bytes, vec![0]].concat()).is_err());
    }
}
