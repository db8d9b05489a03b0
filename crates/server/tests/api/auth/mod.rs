mod devices;
mod login;
mod refresh;
mod refresh_cookie;
mod sessions;
mod simplejwt;
