//! gatepost-tokens
