mod activate;
mod me;
mod register;
mod reset;
