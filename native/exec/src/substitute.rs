//! Variables in command lines (systemd.service(5), "Command lines").
//!
//! A word that begins with `$` and is not `${…` or `$$…` is a variable as a whole: it becomes the words of its value, which may be
//! none. In any other word `${NAME}` becomes the value as it is, nothing where it is unset, and `$$` becomes `$`; everything
//! else stays, a `${` that never closes included.

use crate::environment::Environment;

/// The arguments with their variables replaced.
pub fn substitute(argv: &[String], environment: &Environment) -> Vec<String> {
    let mut all = Vec::with_capacity(argv.len());
    for word in argv {
        match word.strip_prefix('$') {
            Some(name) if !name.starts_with(['{', '$']) => {
                if let Some(value) = environment.get(name) {
                    all.extend(split(value));
                }
            }
            _ => all.push(replace(word, environment)),
        }
    }
    all
}

/// Replace `${NAME}` and `$$` within a word.
fn replace(word: &str, environment: &Environment) -> String {
    let mut text = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(dollar) = rest.find('$') {
        let (before, after) = (&rest[..dollar], &rest[dollar + 1..]);
        text.push_str(before);
        rest = match after.chars().next() {
            Some('$') => {
                text.push('$');
                &after[1..]
            }
            Some('{') => braced(&after[1..], environment, &mut text),
            // A dollar sign that means nothing, and the character after it, which it keeps from meaning anything.
            other => {
                let kept = other.map_or(0, char::len_utf8);
                text.push('$');
                text.push_str(&after[..kept]);
                &after[kept..]
            }
        };
    }
    text.push_str(rest);
    text
}

/// What follows `${`: a name and `}`; or, up to a `:` or the end, syntax that is not supported here and stays.
fn braced<'a>(after: &'a str, environment: &Environment, text: &mut String) -> &'a str {
    let end = after.find(['}', ':']).unwrap_or(after.len());
    if let Some(tail) = after[end..].strip_prefix('}') {
        text.push_str(environment.get(&after[..end]).unwrap_or(""));
        return tail;
    }
    let kept = (end + 1).min(after.len());
    text.push_str("${");
    text.push_str(&after[..kept]);
    &after[kept..]
}

/// Split at blanks; quotes hold words together and go, a backslash takes the next character as it is.
fn split(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' if quote.is_none() => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(characters.next()),
            '\'' | '"' if quote.is_none() => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            _ if quote == Some(character) => quote = None,
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(words: &[&str]) -> Vec<String> {
        let mut environment = Environment::default();
        for (name, value) in [
            ("ONE", "one"),
            ("TWO", "two words"),
            ("QUOTED", r#"'a b' c"d e" \"f  g\\ ''"#),
            ("EMPTY", ""),
            ("BLANK", " \t "),
        ] {
            environment.set(name, value);
        }
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        substitute(&words, &environment)
    }

    #[test]
    fn a_variable_that_is_a_word_becomes_as_many_words_as_it_has() {
        assert_eq!(expand(&["x", "$ONE", "$TWO", "y"]), ["x", "one", "two", "words", "y"]);
        assert_eq!(expand(&["x", "$EMPTY", "$BLANK", "$UNSET", "y"]), ["x", "y"]);
    }

    #[test]
    fn quotes_in_a_value_hold_its_words_together() {
        assert_eq!(expand(&["$QUOTED"]), ["a b", "cd e", "\"f", "g\\", ""]);
    }

    #[test]
    fn braces_keep_the_value_in_one_word() {
        assert_eq!(
            expand(&["${TWO}", "a${ONE}b${TWO}", "${EMPTY}", "${UNSET}", "a${UNSET}b"]),
            ["two words", "aonebtwo words", "", "", "ab"]
        );
    }

    #[test]
    fn a_doubled_dollar_is_one_and_expands_nothing() {
        assert_eq!(expand(&["$$ONE", "$${ONE}", "a$$", "$$$$"]), ["$ONE", "${ONE}", "a$", "$$"]);
    }

    #[test]
    fn what_is_no_variable_stays() {
        assert_eq!(
            expand(&["a$ONE", "a$", "${ONE", "${ONE:-x}", "a$-${ONE}", "${A$$:$$"]),
            ["a$ONE", "a$", "${ONE", "${ONE:-x}", "a$-one", "${A$$:$"]
        );
    }

    #[test]
    fn a_word_that_begins_with_a_variable_but_goes_on_is_a_variable_of_that_name() {
        assert_eq!(expand(&["$ONE/x", "$ONE.x"]), Vec::<String>::new());
    }

    fn words(list: &str) -> Vec<String> {
        let byte = |word: &str, at| u8::from_str_radix(&word[at..at + 2], 16).unwrap();
        let word =
            |word: &str| String::from_utf8((0..word.len()).step_by(2).map(|at| byte(word, at)).collect()).unwrap();
        list.split(',').map(word).collect()
    }

    #[test]
    fn every_command_line_becomes_what_it_becomes_in_systemd() {
        // What systemd 252 answered; tests/oracle/generate.py asked, with this environment.
        let mut environment = Environment::default();
        for (name, value) in [
            ("ONE", "one"),
            ("TWO", "two words"),
            ("QUOTED", r#"'a b' c"d e" \"f"#),
            ("EMPTY", ""),
            ("_x1", "y"),
            ("BLANK", " \t "),
        ] {
            environment.set(name, value);
        }
        for line in include_str!("../tests/oracle/command-lines.tsv").lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let asked = words(fields[0]);
            let answer = if fields[1] == "0" { vec![] } else { words(fields[2]) };
            assert_eq!(substitute(&asked, &environment), answer, "{asked:?}");
        }
    }
}
