pub mod ack;
pub mod channel;
pub mod event;
pub mod fd;
pub mod slab;
pub mod wire;
