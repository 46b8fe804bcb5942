//! Totals of windows: exact decimals that are wide enough for any sum of values.

use crate::value::Value;
use crate::value::{compare, power, shortened};
use bigdecimal::num_bigint::{BigInt, Sign};
use kernel::Quantity;
use std::cmp::Ordering;
use std::fmt;

/// A decimal `mantissa * 10^-scale`, wide enough for the sum of any events of a window, see
/// [`Quantity`]. So adding never fails.
///
/// Each number has one form: without trailing zeros after the point, and as an `i128` where one
/// holds it. Nearly all totals are short, and adding to one allocates nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Aggregate(Form);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    Short { mantissa: i128, scale: u16 },
    Long { mantissa: Box<BigInt>, scale: u16 },
}

impl Aggregate {
    /// Makes `mantissa * 10^-scale`.
    #[must_use]
    pub fn new(mantissa: i128, scale: u16) -> Self {
        let (mantissa, scale) = shortened(mantissa, scale);
        Self(Form::Short { mantissa, scale })
    }

    /// Makes `mantissa * 10^-scale` from a mantissa of any length.
    pub(crate) fn of_digits(mut mantissa: BigInt, mut scale: u16) -> Self {
        if let Ok(short) = i128::try_from(&mantissa) {
            return Self::new(short, scale);
        }
        while scale > 0 && !mantissa.bit(0) && (&mantissa % 10_u8).sign() == Sign::NoSign {
            mantissa /= 10_u8;
            scale -= 1;
        }
        match i128::try_from(&mantissa) {
            Ok(mantissa) => Self(Form::Short { mantissa, scale }),
            Err(_) => Self(Form::Long {
                mantissa: Box::new(mantissa),
                scale,
            }),
        }
    }

    /// The mantissa, if an `i128` holds it.
    #[must_use]
    pub fn short_mantissa(&self) -> Option<i128> {
        match &self.0 {
            Form::Short { mantissa, .. } => Some(*mantissa),
            Form::Long { .. } => None,
        }
    }

    /// The number of digits after the point.
    #[must_use]
    pub fn scale(&self) -> u16 {
        match self.0 {
            Form::Short { scale, .. } | Form::Long { scale, .. } => scale,
        }
    }

    /// The mantissa, of any length.
    pub(crate) fn mantissa(&self) -> BigInt {
        match &self.0 {
            Form::Short { mantissa, .. } => BigInt::from(*mantissa),
            Form::Long { mantissa, .. } => BigInt::clone(mantissa),
        }
    }

    /// Adds a number.
    pub fn add(&mut self, other: &Self) {
        if let (
            Form::Short { mantissa, scale },
            Form::Short {
                mantissa: more,
                scale: of,
            },
        ) = (&self.0, &other.0)
            && let Some((mantissa, scale)) = short_sum((*mantissa, *scale), (*more, *of))
        {
            self.0 = Form::Short { mantissa, scale };
            return;
        }
        *self = self.long_sum(other);
    }

    #[cold]
    fn long_sum(&self, other: &Self) -> Self {
        let scale = self.scale().max(other.scale());
        Self::of_digits(self.aligned(scale) + other.aligned(scale), scale)
    }

    /// The mantissa at a scale that is not below the number's own.
    fn aligned(&self, scale: u16) -> BigInt {
        self.mantissa() * BigInt::from(10_u8).pow(u32::from(scale - self.scale()))
    }

    /// The total as a quantity of the contract.
    #[must_use]
    pub fn to_quantity(&self) -> Quantity {
        Quantity::from_digits(self.mantissa(), self.scale())
    }
}

/// The sum, if an `i128` holds the aligned mantissas and their sum.
fn short_sum(
    (mine, my_scale): (i128, u16),
    (theirs, their_scale): (i128, u16),
) -> Option<(i128, u16)> {
    if mine == 0 {
        return Some((theirs, their_scale));
    }
    let aligned =
        |mantissa: i128, places: u16| power(places).and_then(|power| mantissa.checked_mul(power));
    let (mine, theirs, scale) = match my_scale.cmp(&their_scale) {
        Ordering::Equal => (mine, theirs, my_scale),
        Ordering::Less => (aligned(mine, their_scale - my_scale)?, theirs, their_scale),
        Ordering::Greater => (mine, aligned(theirs, my_scale - their_scale)?, my_scale),
    };
    Some(shortened(mine.checked_add(theirs)?, scale))
}

impl Default for Aggregate {
    fn default() -> Self {
        Self(Form::Short {
            mantissa: 0,
            scale: 0,
        })
    }
}

impl From<Value> for Aggregate {
    fn from(value: Value) -> Self {
        Self(Form::Short {
            mantissa: value.mantissa(),
            scale: value.scale(),
        })
    }
}

impl Ord for Aggregate {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (
                Form::Short { mantissa, scale },
                Form::Short {
                    mantissa: theirs,
                    scale: of,
                },
            ) => compare((*mantissa, *scale), (*theirs, *of)),
            _ => {
                let scale = self.scale().max(other.scale());
                self.aligned(scale).cmp(&other.aligned(scale))
            }
        }
    }
}

impl PartialOrd for Aggregate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_quantity().fmt(f)
    }
}

impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aggregate({self})")
    }
}
