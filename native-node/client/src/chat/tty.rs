//! What of the terminal's settings a chat changes: whether what is typed shows.

#[cfg(unix)]
pub use unix::Tty;

#[cfg(unix)]
mod unix {
    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

    /// The terminal on standard input, and how it was found.
    #[derive(Clone)]
    pub struct Tty(Termios);

    impl Tty {
        /// `None`: standard input is no terminal.
        pub fn of_stdin() -> Option<Self> {
            tcgetattr(std::io::stdin()).ok().map(Self)
        }

        /// From now on what is typed does not show; the end of a line does.
        pub fn hide(&self) {
            let mut hidden = self.0.clone();
            hidden.local_flags.remove(LocalFlags::ECHO);
            hidden.local_flags.insert(LocalFlags::ECHONL);
            set(&hidden);
        }

        /// As it was found.
        pub fn restore(&self) {
            set(&self.0);
        }
    }

    fn set(settings: &Termios) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, settings);
    }
}

#[cfg(not(unix))]
#[derive(Clone)]
pub struct Tty;

#[cfg(not(unix))]
impl Tty {
    /// How to hide what is typed is not known here.
    pub fn of_stdin() -> Option<Self> {
        None
    }

    pub fn hide(&self) {}

    pub fn restore(&self) {}
}
