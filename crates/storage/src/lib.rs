//! gatepost-storage
