//! Templates such as `user:{user.id}` for keys and tags: literal text with fields that name a parameter and a way into it.

use crate::error::{Error, ErrorKind};

/// A parsed template.
///
/// ```
/// use everwarm_core::template::{Piece, Step, Template};
///
/// let template = Template::parse("user:{user.id}").unwrap();
/// let [Piece::Text(text), Piece::Field(field)] = template.pieces() else { panic!() };
/// assert_eq!((text.as_str(), field.parameter.as_str()), ("user:", "user"));
/// assert_eq!(field.path, [Step::Attribute("id".into())]);
/// assert!(Template::parse("user:{}").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands for itself.
    Text(String),
    /// A place to fill.
    Field(Field),
}

/// A place of a template: a parameter and the steps from it to the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The parameter's name.
    pub parameter: String,
    /// The steps into its value.
    pub path: Vec<Step>,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `.name`
    Attribute(String),
    /// `[name]`, by text
    Item(String),
    /// `[3]`, by position
    Position(usize),
}

impl Template {
    /// Reads a template; `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// A lone brace, an empty field, a conversion (`!r`) or a format (`:>8`).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let end = rest.find('}').filter(|_| brace == "{");
            let Some(end) = end else {
                return Err(refused(
                    text,
                    &format!("a lone `{brace}`"),
                    "write `{{` or `}}` for a brace",
                ));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Field(Field::parse(text, &rest[..end])?));
            rest = &rest[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self {
            text: text.to_owned(),
            pieces,
        })
    }

    /// The template as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its parts in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The places to fill, in order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field) => Some(field),
            Piece::Text(_) => None,
        })
    }
}

impl Field {
    fn parse(template: &str, text: &str) -> Result<Self, Error> {
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let parameter = name(template, &text[..end])?;
        let mut path = Vec::new();
        let mut rest = &text[end..];
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                path.push(Step::Attribute(name(template, &after[..end])?));
                rest = &after[end..];
            } else if let Some((item, after)) = rest
                .strip_prefix('[')
                .and_then(|after| after.split_once(']'))
            {
                path.push(match item.parse() {
                    Ok(position) => Step::Position(position),
                    Err(_) if !item.is_empty() => Step::Item(item.to_owned()),
                    Err(_) => {
                        return Err(refused(
                            template,
                            "an empty `[]`",
                            "name the item: `{orders[first]}`",
                        ));
                    }
                });
                rest = after;
            } else {
                return Err(refused(
                    template,
                    &format!("`{rest}` in a field"),
                    "write `{name}`, `{name.attribute}` or `{name[item]}`",
                ));
            }
        }
        Ok(Self { parameter, path })
    }
}

fn name(template: &str, text: &str) -> Result<String, Error> {
    let mut letters = text.chars();
    let starts = letters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_');
    if starts && letters.all(|letter| letter.is_alphanumeric() || letter == '_') {
        return Ok(text.to_owned());
    }
    let found = if text.is_empty() {
        "an empty field".to_owned()
    } else {
        format!("a field `{text}`")
    };
    Err(refused(
        template,
        &found,
        "a field is a parameter's name, as in `user:{user.id}`; formats and conversions are not taken",
    ))
}

fn refused(template: &str, found: &str, hint: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("template {template:?} has {found}"),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_doubled() {
        let template = Template::parse("{{{a}}}").unwrap();
        let field = Field {
            parameter: "a".into(),
            path: vec![],
        };
        assert_eq!(
            template.pieces(),
            [
                Piece::Text("{".into()),
                Piece::Field(field),
                Piece::Text("}".into())
            ]
        );
    }

    #[test]
    fn paths_lead_into_values() {
        let template = Template::parse("{order.lines[0].sku[de]}").unwrap();
        let field = template.fields().next().unwrap();
        let path = [
            Step::Attribute("lines".into()),
            Step::Position(0),
            Step::Attribute("sku".into()),
            Step::Item("de".into()),
        ];
        assert_eq!(
            (field.parameter.as_str(), field.path.as_slice()),
            ("order", path.as_slice())
        );
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "{", "}", "a{b", "{}", "{a!r}", "{a:>3}", "{a.}", "{a[]}", "{a b}", "{1}", "{a]}",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
