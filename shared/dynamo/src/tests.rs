mod answers;
mod attempts;
mod items;
mod tables;
