//! What a setting can do, and what a part of them is.

use mainstay_policy::SettingsError;

use super::list::Listing;
use super::read::{self, Reading};
use super::shape::{Shape, SubShape};
use super::tree::Node;

/// Something that can be set.
pub(crate) trait Setting {
    /// What it can be.
    fn shape(&self) -> Shape;

    /// Says what it is set to.
    fn list(&mut self, doc: &'static str, into: &mut Listing);

    /// Sets it to what a file says, or says what is wrong with that.
    fn read(&mut self, node: &Node, into: &mut Reading);

    /// Says what the policy says of it.
    fn check(&mut self, into: &mut super::checks::Checking);
}

/// Whoever goes through the settings of a part.
pub(crate) trait Visitor {
    /// A setting: its name, what it says, and where it is.
    fn see(&mut self, name: &'static str, doc: &'static str, setting: &mut dyn Setting);

    /// Another way to say what a setting says.
    fn alias(&mut self, name: &'static str, doc: &'static str, setting: &mut dyn Setting) {
        let _ = (name, doc, setting);
    }
}

/// A part: a setting that has settings of its own.
pub(crate) trait Part: Clone {
    /// The setting that a bare value stands for: `retry = 4`.
    const SHORT: Option<&'static str> = None;
    /// Groups of names of which only one group can be given.
    const APART: &'static [&'static [&'static str]] = &[];

    /// Which settings go together, where not all do.
    const WHY: &'static str = "";

    /// One of each kind; between them they have every setting.
    fn kinds() -> Vec<Self>;

    /// Goes through the settings that this kind has. A setting is in the place that the visitor is
    /// given, or is put where it belongs once the visitor has seen it.
    fn fields(&mut self, visitor: &mut dyn Visitor);

    /// Becomes the kind that these names belong to.
    fn turn(&mut self, named: &dyn Fn(&str) -> bool) {
        let _ = named;
    }

    /// What must be named where nothing was set before, and is not.
    fn lacks(named: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        let _ = named;
        None
    }

    /// What the policy says of it.
    fn verdict(&self) -> Result<(), SettingsError> {
        Ok(())
    }

    /// Under which name a file knows what the policy calls so.
    fn name_of(setting: &str) -> &str {
        setting
    }
}

/// Every setting that any kind of this part has.
pub(crate) fn fields_of<P: Part>() -> Vec<SubShape> {
    let mut all = Shapes::default();
    for mut kind in P::kinds() {
        kind.fields(&mut all);
    }
    all.0
}

#[derive(Default)]
struct Shapes(Vec<SubShape>);

impl Shapes {
    fn add(&mut self, field: SubShape) {
        if !self.0.iter().any(|known| known.name == field.name) {
            self.0.push(field);
        }
    }
}

impl Visitor for Shapes {
    fn see(&mut self, name: &'static str, doc: &'static str, setting: &mut dyn Setting) {
        self.add(SubShape { name, doc, shape: setting.shape(), is_alias: false });
    }

    fn alias(&mut self, name: &'static str, doc: &'static str, setting: &mut dyn Setting) {
        self.add(SubShape { name, doc, shape: setting.shape(), is_alias: true });
    }
}

/// What every part does as a setting; a blanket impl would leave no room for the leaves'.
macro_rules! parts {
    ($($part:ty),* $(,)?) => {$(
        impl $crate::pipeline::fields::Setting for $part {
            fn shape(&self) -> $crate::pipeline::fields::Shape {
                $crate::pipeline::fields::part::shape::<Self>()
            }

            fn list(
                &mut self,
                _: &'static str,
                into: &mut $crate::pipeline::fields::list::Listing,
            ) {
                $crate::pipeline::fields::Part::fields(self, into);
            }

            fn read(
                &mut self,
                node: &$crate::pipeline::fields::tree::Node,
                into: &mut $crate::pipeline::fields::read::Reading,
            ) {
                $crate::pipeline::fields::part::read(self, node, into);
            }

            fn check(&mut self, into: &mut $crate::pipeline::fields::checks::Checking) {
                into.part(self);
            }
        }
    )*};
}
pub(crate) use parts;

pub(crate) fn shape<P: Part>() -> Shape {
    Shape::Part(P::SHORT, fields_of::<P>())
}

pub(crate) fn read<P: Part>(part: &mut P, node: &Node, into: &mut Reading) {
    let fields = fields_of::<P>();
    let Some(members) = read::members(node, P::SHORT, &fields, into) else { return };
    let named = |name: &str| members.iter().any(|member| member.key == name);
    let is_one = read::one_group(&members, P::APART, P::WHY, into);
    part.turn(&named);
    let mut table = read::Table::new(&members, into);
    part.fields(&mut table);
    let said = if is_one { &[] } else { P::APART };
    table.rest(&fields, P::WHY, said);
}
