mod login;
mod refresh;
mod sessions;
