//! One descriptor watched by Node's own event loop, so that readiness needs no thread and costs nothing while idle.
//!
//! Node exports libuv's functions to addons and hands out its loop (`napi_get_uv_event_loop`). The handle is opaque here:
//! its size is asked of libuv, and only functions with a stable ABI in libuv 1.x are called on it.

use napi::sys;
use nix::errno::Errno;
use nix::libc;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;
use std::ptr;
use std::rc::Rc;

/// `UV_POLL` of `uv_handle_type` (libuv 1.x, uv.h).
const UV_POLL: c_int = 8;
/// `UV_READABLE` of `uv_poll_event`.
const UV_READABLE: c_int = 1;

type Callback = unsafe extern "C" fn(*mut c_void, c_int, c_int);
type CloseCallback = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    fn uv_handle_size(kind: c_int) -> usize;
    fn uv_handle_set_data(handle: *mut c_void, data: *mut c_void);
    fn uv_handle_get_data(handle: *const c_void) -> *mut c_void;
    fn uv_poll_init(event_loop: *mut c_void, handle: *mut c_void, fd: c_int) -> c_int;
    fn uv_poll_start(handle: *mut c_void, events: c_int, callback: Callback) -> c_int;
    fn uv_close(handle: *mut c_void, callback: CloseCallback);
    fn uv_ref(handle: *mut c_void);
    fn uv_unref(handle: *mut c_void);
}

struct Inner {
    env: sys::napi_env,
    callback: sys::napi_ref,
    handle: *mut c_void,
    open: Cell<bool>,
}

/// A descriptor whose readability calls a JavaScript function, level-triggered, until it is closed or the environment ends.
pub struct Watch(Rc<Inner>);

impl Watch {
    /// Begin. Both pointers must come from the current call into the addon, the value being a function.
    pub fn start(env: sys::napi_env, function: sys::napi_value, fd: RawFd) -> nix::Result<Self> {
        let mut event_loop = ptr::null_mut();
        let mut callback = ptr::null_mut();
        // SAFETY: `env` is the environment of the call in progress; both results are written on success only.
        let ok = unsafe {
            sys::napi_get_uv_event_loop(env, &raw mut event_loop) == sys::Status::napi_ok
                && sys::napi_create_reference(env, function, 1, &raw mut callback) == sys::Status::napi_ok
        };
        if !ok {
            return Err(Errno::EINVAL);
        }
        // SAFETY: plain allocation of the size libuv asks for; freed in `freed`, after uv_close is through with it.
        let handle = unsafe { libc::calloc(1, uv_handle_size(UV_POLL)) };
        if handle.is_null() {
            return Err(Errno::ENOMEM);
        }
        let inner = Rc::new(Inner { env, callback, handle, open: Cell::new(true) });
        // SAFETY: the loop is the environment's own and this is its thread; the handle is fresh memory of the right size. The
        // data pointer stays valid while the handle is open: `close` runs before the last `Rc` goes.
        unsafe {
            let result = uv_poll_init(event_loop.cast(), handle, fd);
            if result != 0 {
                libc::free(handle);
                sys::napi_delete_reference(env, callback);
                return Err(Errno::from_raw(-result));
            }
            uv_handle_set_data(handle, Rc::as_ptr(&inner).cast_mut().cast());
            let result = uv_poll_start(handle, UV_READABLE, readable);
            if result != 0 {
                uv_close(handle, freed);
                sys::napi_delete_reference(env, callback);
                return Err(Errno::from_raw(-result));
            }
            // The environment may end (a worker thread, process exit) before JavaScript closes this.
            sys::napi_add_env_cleanup_hook(
                env,
                Some(environment_ends),
                Rc::into_raw(Rc::clone(&inner)).cast_mut().cast(),
            );
        }
        Ok(Self(inner))
    }

    /// Let the watch keep the event loop alive, or not.
    pub fn keep_alive(&self, keep: bool) {
        if self.0.open.get() {
            // SAFETY: the handle is open, and this is the loop's thread.
            unsafe { if keep { uv_ref(self.0.handle) } else { uv_unref(self.0.handle) } }
        }
    }

    /// Stop. Closing again does nothing.
    pub fn close(&self) {
        if !self.0.open.get() {
            return;
        }
        let hook = Rc::as_ptr(&self.0).cast_mut().cast::<c_void>();
        // SAFETY: the hook was added with this very argument and has not run, since it would have closed the watch; the count
        // that was given to it is taken back. `self` still holds another.
        unsafe {
            sys::napi_remove_env_cleanup_hook(self.0.env, Some(environment_ends), hook);
            Rc::decrement_strong_count(hook.cast::<Inner>());
        }
        shut(&self.0);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}

fn shut(inner: &Inner) {
    if inner.open.replace(false) {
        // SAFETY: the handle is open and this is the loop's thread; its memory is freed by `freed`. The reference is ours.
        unsafe {
            uv_close(inner.handle, freed);
            sys::napi_delete_reference(inner.env, inner.callback);
        }
    }
}

/// Called by libuv when it is done with a handle.
unsafe extern "C" fn freed(handle: *mut c_void) {
    // SAFETY: allocated by calloc in `start`, and libuv is through with it.
    unsafe { libc::free(handle) };
}

/// Called by Node when the environment is torn down.
unsafe extern "C" fn environment_ends(argument: *mut c_void) {
    // SAFETY: the argument is a count of `Inner` given to the hook in `start`, and a hook runs once.
    let inner = unsafe { Rc::from_raw(argument.cast_const().cast::<Inner>()) };
    shut(&inner);
}

/// Called by libuv when the descriptor is readable.
unsafe extern "C" fn readable(handle: *mut c_void, _status: c_int, _events: c_int) {
    // SAFETY: the data pointer is that of a live `Inner` while the handle is open; the count taken keeps it alive while the
    // callback may close the watch. All napi calls happen on the environment's thread, within a handle scope.
    unsafe {
        let data = uv_handle_get_data(handle).cast_const().cast::<Inner>();
        Rc::increment_strong_count(data);
        let inner = Rc::from_raw(data);
        let env = inner.env;
        let mut scope = ptr::null_mut();
        if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
            return;
        }
        let mut function = ptr::null_mut();
        let mut global = ptr::null_mut();
        let mut result = ptr::null_mut();
        if sys::napi_get_reference_value(env, inner.callback, &raw mut function) == sys::Status::napi_ok
            && sys::napi_get_global(env, &raw mut global) == sys::Status::napi_ok
        {
            let status =
                sys::napi_make_callback(env, ptr::null_mut(), global, function, 0, ptr::null(), &raw mut result);
            if status == sys::Status::napi_pending_exception {
                let mut exception = ptr::null_mut();
                if sys::napi_get_and_clear_last_exception(env, &raw mut exception) == sys::Status::napi_ok {
                    sys::napi_fatal_exception(env, exception);
                }
            }
        }
        sys::napi_close_handle_scope(env, scope);
    }
}
