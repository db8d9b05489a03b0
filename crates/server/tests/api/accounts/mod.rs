mod activate;
mod email;
mod invitation;
mod me;
mod register;
mod reset;
