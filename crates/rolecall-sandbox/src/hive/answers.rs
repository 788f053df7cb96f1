//! The results of mutations. Each has the fields `ok` and `error`, and one of them is null.

use async_graphql::{ID, SimpleObject};

use super::nodes::{Member, MemberRole, OrganizationInvitation};
use super::query::Organization;

macro_rules! mutation_result {
    (
        $result:ident,
        $ok:ident { $($field:ident: $kind:ty),+ },
        $error:ident { $($detail:ident: $detail_kind:ty),* } $(,)?
    ) => {
        #[derive(SimpleObject)]
        pub struct $result {
            ok: Option<$ok>,
            error: Option<$error>,
        }

        #[derive(SimpleObject)]
        pub struct $ok {
            $(pub $field: $kind,)+
        }

        #[derive(SimpleObject)]
        pub struct $error {
            pub message: String,
            $(pub $detail: $detail_kind,)*
        }

        impl From<$ok> for $result {
            fn from(ok: $ok) -> Self {
                Self { ok: Some(ok), error: None }
            }
        }

        impl From<$error> for $result {
            fn from(error: $error) -> Self {
                Self { ok: None, error: Some(error) }
            }
        }
    };
}

mutation_result!(
    CreateMemberRoleResult,
    CreateMemberRoleResultOk { updated_organization: Organization, created_member_role: MemberRole },
    CreateMemberRoleResultError { input_errors: Option<CreateMemberRoleInputErrors> },
);
mutation_result!(
    UpdateMemberRoleResult,
    UpdateMemberRoleResultOk { updated_role: MemberRole },
    UpdateMemberRoleResultError { input_errors: Option<UpdateMemberRoleInputErrors> },
);
mutation_result!(
    DeleteMemberRoleResult,
    DeleteMemberRoleResultOk { updated_organization: Organization, deleted_member_role_id: ID },
    DeleteMemberRoleResultError {},
);
mutation_result!(
    AssignMemberRoleResult,
    AssignMemberRoleResultOk { updated_member: Member, previous_member_role: Option<MemberRole> },
    AssignMemberRoleResultError {},
);
mutation_result!(
    InviteToOrganizationByEmailResult,
    InviteToOrganizationByEmailResultOk { created_organization_invitation: OrganizationInvitation },
    InviteToOrganizationByEmailResultError { input_errors: InviteToOrganizationByEmailInputErrors },
);
mutation_result!(
    DeleteOrganizationInvitationResult,
    DeleteOrganizationInvitationResultOk { deleted_organization_invitation_id: ID },
    DeleteOrganizationInvitationResultError {},
);
mutation_result!(
    CreateOrganizationAccessTokenResult,
    CreateOrganizationAccessTokenResultOk { private_access_key: String },
    CreateOrganizationAccessTokenResultError { details: Option<CreateOrganizationAccessTokenResultErrorDetails> },
);
mutation_result!(
    DeleteOrganizationAccessTokenResult,
    DeleteOrganizationAccessTokenResultOk { deleted_organization_access_token_id: ID },
    DeleteOrganizationAccessTokenResultError {},
);
mutation_result!(
    DeleteAccessTokenResult,
    DeleteAccessTokenResultOk { deleted_access_token_id: ID },
    DeleteAccessTokenResultError {},
);

#[derive(SimpleObject)]
pub struct CreateMemberRoleInputErrors {
    pub name: Option<String>,
    pub description: Option<String>,
}

#[derive(SimpleObject)]
pub struct UpdateMemberRoleInputErrors {
    pub name: Option<String>,
    pub description: Option<String>,
}

#[derive(SimpleObject)]
pub struct InviteToOrganizationByEmailInputErrors {
    pub email: Option<String>,
}

#[derive(SimpleObject)]
pub struct CreateOrganizationAccessTokenResultErrorDetails {
    pub title: Option<String>,
    pub description: Option<String>,
}
