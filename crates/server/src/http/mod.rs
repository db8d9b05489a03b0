//! What all endpoints share: problems, extractors, limits, headers.
