//! The web page: what each camera sees, with boxes on it, and what has been told.

mod routes;
pub mod views;

pub use routes::serve;
pub use views::Views;
