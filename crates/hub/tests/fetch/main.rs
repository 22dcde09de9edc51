//! Fetches from a real server on this machine: what a network does, what servers do, and what must never be left behind.

mod catalogue;
mod hub;
mod plain;
mod server;
mod support;
mod table;
