//! What core needs of the kernel and Node lacks. No policy.
