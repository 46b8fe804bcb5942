//! The owed mails: their addresses had reached the limit when they were requested.

use crate::adapters::Adapters;
use identity::IdentityError;
use kernel::{TenantStatus, Timestamp};
use mail::{Invited, Letter};
use std::time::Instant;
use tenancy::{
    Invitation, InvitationCode, KeyDigest, OwedMail, Refusal, Signup, State, decide_code_mail,
    decide_invitation_mail,
};
use tenant_store::{LoadOptions, Taken, TenantStoreError};

/// The delay after a failed mail, in seconds. It is long because the address may be one that
/// accepts no mail at all.
const NOT_TAKEN_S: i64 = 300;
/// The delay where the user pool reports that the account has reached its limit of codes, in
/// seconds.
const POOL_LIMIT_S: i64 = 3_600;
/// The largest page that the store reads, so that a tenant's 200 invitations take few requests.
const PAGE_MAX: u8 = 100;

impl Adapters {
    /// Sends a tenant's owed mails, as far as their addresses may get them now. A mail that has to
    /// wait longer stays owed. Returns false when the time is over and mails are left.
    pub(crate) async fn send_owed(
        &self,
        state: &State,
        now: Timestamp,
        until: Instant,
    ) -> Result<bool, TenantStoreError> {
        if let Some(signup) = state
            .signup
            .as_ref()
            .filter(|_| state.tenant.status == TenantStatus::Pending)
            && let Some(owed) = signup.code_owed.as_ref().filter(|owed| owed.after <= now)
        {
            self.send_code(signup, owed, now).await?;
        }
        let mut cursor = None;
        loop {
            let page = self
                .tenants
                .reader()
                .list_invitations(state.tenant.id, cursor.as_deref(), PAGE_MAX)
                .await?;
            for open in &page.entries {
                if let Some(owed) = open.owed.as_ref().filter(|owed| owed.after <= now) {
                    if Instant::now() >= until {
                        return Ok(false);
                    }
                    self.send_invitation(state, open, owed, now).await?;
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(true);
            }
        }
    }

    /// Mails the code of a sign-up.
    async fn send_code(
        &self,
        signup: &Signup,
        owed: &OwedMail,
        now: Timestamp,
    ) -> Result<(), TenantStoreError> {
        let Some(user) = self.tenants.reader().load_user(signup.username).await? else {
            return Ok(());
        };
        let mark = KeyDigest::of("owed code", &signup.id.to_string());
        let later = |wait_s| Some(OwedMail::until(owed.asker.clone(), now, wait_s));
        let next = match self
            .mails
            .take(&user.email, &owed.asker, &mark, now)
            .await?
        {
            Taken::NotBefore { wait_s } => later(wait_s),
            Taken::Yes => match self.identity.resend_code(signup.username).await {
                Ok(()) => None,
                // The account is confirmed or gone: nobody needs a code.
                Err(IdentityError::Refused { .. } | IdentityError::WrongCode) => None,
                Err(IdentityError::TooManyAttempts) => later(POOL_LIMIT_S),
                Err(error) => {
                    tracing::warn!(tenant = %signup.tenant, error = %error, "an owed code is not mailed yet");
                    later(NOT_TAKEN_S)
                }
            },
        };
        let noted = self
            .tenants
            .change(signup.tenant, LoadOptions::SIGNUP, |loaded| {
                Ok(decide_code_mail(&loaded.state, next.clone()))
            });
        noted.await.map(|_| ())
    }

    /// Mails an invitation with a new code, which is stored before it is mailed.
    async fn send_invitation(
        &self,
        state: &State,
        open: &Invitation,
        owed: &OwedMail,
        now: Timestamp,
    ) -> Result<(), TenantStoreError> {
        let takes_people = matches!(
            state.tenant.status,
            TenantStatus::Active | TenantStatus::Suspended
        );
        if !takes_people || now >= open.valid_until || !self.mailer.can_send() {
            return self.note_invitation(open, None, None).await;
        }
        let later = |wait_s| Some(OwedMail::until(owed.asker.clone(), now, wait_s));
        let mark = KeyDigest::of("owed invitation", &open.id.to_string());
        if let Taken::NotBefore { wait_s } = self
            .mails
            .take(&open.email, &owed.asker, &mark, now)
            .await?
        {
            return self.note_invitation(open, None, later(wait_s)).await;
        }
        let Ok(random) = runtime::random_bytes() else {
            return self.note_invitation(open, None, later(NOT_TAKEN_S)).await;
        };
        let code = InvitationCode::from_random(open.id, random);
        self.note_invitation(open, Some(&code), Some(owed.clone()))
            .await?;
        let organisation = self.tenants.reader().load_organisation(open.tenant).await?;
        let Some(organisation) = organisation else {
            return Ok(());
        };
        let invited = Invited {
            organisation: &organisation,
            alias: &state.tenant.alias,
            addresses: &self.addresses,
            role: open.role,
            code: &code,
            valid_until: open.valid_until,
        };
        let next = match self
            .mailer
            .send(
                &open.email,
                &Letter::invitation(&invited, state.tenant.language),
            )
            .await
        {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(tenant = %open.tenant, error = %error, "an owed invitation is not mailed yet");
                later(NOT_TAKEN_S)
            }
        };
        self.note_invitation(open, None, next).await
    }

    /// Stores the state of an invitation's mail, unless the invitation was accepted or withdrawn in
    /// the meantime.
    async fn note_invitation(
        &self,
        open: &Invitation,
        code: Option<&InvitationCode>,
        owed: Option<OwedMail>,
    ) -> Result<(), TenantStoreError> {
        let options = LoadOptions {
            invitation: Some(open.id),
            ..LoadOptions::TENANT
        };
        let noted = self.tenants.change(open.tenant, options, |loaded| {
            let open = loaded.invitation.as_ref();
            Ok::<_, Refusal>(
                open.map(|open| decide_invitation_mail(&loaded.state, open, code, owed.clone())),
            )
        });
        noted.await.map(|_| ())
    }
}
