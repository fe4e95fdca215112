//! The line being typed, as a value: keys in, text out.

use crate::model::limits::MAX_TYPED;

/// A line and where the cursor stands in it.
#[derive(Debug, Default)]
pub struct Editor {
    before: String,
    behind: String,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Puts a letter in.
    Letter(char),
    /// Takes the letter before the cursor away.
    Backspace,
    /// Takes the letter behind the cursor away.
    Delete,
    /// One letter back.
    Left,
    /// One letter on.
    Right,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// Takes all before the cursor away.
    Clear,
    /// Takes the word before the cursor away.
    ClearWord,
}

impl Editor {
    /// Does what a key does.
    pub fn press(&mut self, key: Key) {
        match key {
            Key::Letter(letter) if letter.is_control() => {}
            Key::Letter(letter) => {
                // One letter more than may be: so it is seen that the line is too long, and nothing of it is taken.
                if self.before.len() + self.behind.len() <= MAX_TYPED {
                    self.before.push(letter);
                }
            }
            Key::Backspace => drop(self.before.pop()),
            Key::Delete if self.behind.is_empty() => {}
            Key::Delete => drop(self.behind.remove(0)),
            Key::Left => {
                if let Some(letter) = self.before.pop() {
                    self.behind.insert(0, letter);
                }
            }
            Key::Right if self.behind.is_empty() => {}
            Key::Right => self.before.push(self.behind.remove(0)),
            Key::Home => self.behind.insert_str(0, &std::mem::take(&mut self.before)),
            Key::End => self.before.push_str(&std::mem::take(&mut self.behind)),
            Key::Clear => self.before.clear(),
            Key::ClearWord => {
                let word = self.before.trim_end();
                let start = word.rfind(' ').map_or(0, |at| at + 1);
                self.before.truncate(start);
            }
        }
    }

    /// The text before and behind the cursor.
    pub fn parts(&self) -> (&str, &str) {
        (&self.before, &self.behind)
    }

    /// The whole line.
    pub fn into_line(mut self) -> String {
        self.press(Key::End);
        self.before
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.behind.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> String {
        let mut editor = Editor::default();
        keys.iter().for_each(|key| editor.press(*key));
        editor.into_line()
    }

    #[test]
    fn a_line_is_edited_by_letters_not_bytes() {
        use Key::*;
        assert_eq!(typed(&[Letter('é'), Letter('b'), Left, Left, Letter('ন'), Delete]), "নb");
        assert_eq!(typed(&[Letter('a'), Backspace, Backspace, Right, Delete, Letter('b')]), "b");
        assert_eq!(
            typed(&[Letter('a'), Home, Letter('b'), End, Letter('c'), Letter('\x1b')]),
            "bac"
        );
        let words = [Letter('a'), Letter(' '), Letter('b'), Letter(' '), ClearWord, Letter('c')];
        assert_eq!(typed(&words), "a c");
        assert_eq!(typed(&[Letter('a'), Clear]), "");
    }

    #[test]
    fn a_line_has_a_bound() {
        assert_eq!(typed(&[Key::Letter('x'); MAX_TYPED + 10]).len(), MAX_TYPED + 1);
    }
}
