//! The refusals of this API.

runtime::problem_kinds! {
    /// What this API refuses.
    pub(crate) enum ProblemKind {
        /// The period is missing or none.
        InvalidPeriod = BAD_REQUEST, "invalid-period", "The period is not valid";
        /// It is not 1 to 100.
        InvalidLimit = BAD_REQUEST, "invalid-limit", "The limit is not valid";
        /// No answer gave it.
        InvalidCursor = BAD_REQUEST, "invalid-cursor", "The cursor is not valid";
        /// It is no lower-case hyphenated UUID.
        InvalidInvoiceId = BAD_REQUEST, "invalid-invoice-id", "The invoice id is not valid";
        UnknownInvoice = NOT_FOUND, "unknown-invoice", "There is no invoice of this id";
        UnknownBillingRun = NOT_FOUND, "unknown-billing-run", "This period has no billing run";
        /// The tenant is missing or no tenant id.
        InvalidTenant = BAD_REQUEST, "invalid-tenant", "The tenant is not valid";
        /// There is no such meter.
        InvalidMeter = BAD_REQUEST, "invalid-meter", "The meter is not valid";
        /// The meter has no such dimensions or values, or no meter is named.
        InvalidDimensions = BAD_REQUEST, "invalid-dimensions", "The dimensions are not valid";
        /// `from` or `to` is no moment.
        InvalidRange = BAD_REQUEST, "invalid-range", "The range is not valid";
    }
}
