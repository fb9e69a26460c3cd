"""Addresses of this role, from the root: they are part of a published protocol."""

from django.urls import include, path

from authz.views import (
    account,
    address,
    approvals,
    authorize,
    client_logout,
    clients,
    consent,
    csc,
    csc_oauth,
    discovery,
    login,
    logos,
    passwords,
    recovery,
    signup,
)

app_name = "authz"

_oauth = [
    path("authorize", authorize.authorize, name="authorize"),
    path("pushed_authorize", clients.pushed_authorize, name="pushed_authorize"),
    path("bc-authorize", clients.bc_authorize, name="bc_authorize"),
    path("token", clients.token, name="token"),
    path("introspect", clients.introspect, name="introspect"),
    path("revoke", clients.revoke, name="revoke"),
    path("userinfo", clients.userinfo, name="userinfo"),
    path("jwks", clients.jwks, name="jwks"),
    path("logout", client_logout.end_session, name="end_session"),
]

_pages = [
    path("signup", signup.signup, name="signup"),
    path("signup/passkey", signup.signup_passkey, name="signup_passkey"),
    path("signup/<str:secret>", signup.signup_by_link, name="signup_by_link"),
    path("invitations/<str:secret>", signup.invitation, name="invitation"),
    path("login", login.login, name="login"),
    path("login/passkey", login.login_passkey, name="login_passkey"),
    path("login/by-passkey", login.login_by_passkey, name="login_by_passkey"),
    path("login/recovery", recovery.use_code, name="use_code"),
    path("login/recovery/passkey", recovery.new_passkey, name="recovery_passkey"),
    path("logos/<str:checksum>.png", logos.logo, name="logo"),
    path("logout", login.logout, name="logout"),
    path("logged-out", login.logged_out, name="logged_out"),
    path("consents/<uuid:consent_id>", consent.consent, name="consent"),
    path("approvals", approvals.list_approvals, name="approvals"),
    path("approvals/<uuid:consent_id>", approvals.approval, name="approval"),
    path("passkeys", account.list_passkeys, name="passkeys"),
    path("passkeys/add", account.add_passkey, name="add_passkey"),
    path("passkeys/<int:passkey_id>/rename", account.rename_passkey, name="rename_passkey"),
    path("passkeys/<int:passkey_id>/remove", account.remove_passkey, name="remove_passkey"),
    path("recovery-codes", recovery.confirm_codes, name="recovery_codes"),
    path("recovery-codes/new", recovery.make_codes, name="make_recovery_codes"),
    path("forgotten", passwords.forgotten, name="forgotten"),
    path("password", passwords.change, name="change_password"),
    path("password/<str:secret>", passwords.reset, name="reset_password"),
    path("address/change", address.change, name="change_address"),
    path("address/change/<str:secret>", address.confirm_change, name="confirm_address"),
    path("address/undo/<str:secret>", address.undo_change, name="undo_address"),
    path("address", address.send_link, name="send_address_link"),
    path("address/<str:secret>", address.confirm, name="address"),
    path("sessions", account.list_sessions, name="sessions"),
    path("sessions/end", account.end_session, name="end_session"),
    path("sessions/end-all", account.logout_everywhere, name="logout_everywhere"),
]

urlpatterns = [
    path(".well-known/oauth-authorization-server/authz", discovery.authorization_server, name="metadata"),
    path("authz/.well-known/openid-configuration", discovery.openid_configuration, name="openid_configuration"),
    path("authz/oauth2/", include(_oauth)),
    *(
        path(f"authz/csc/v{version}/authorize", csc_oauth.authorize, {"version": version}, name=f"authorize_v{version}")
        for version in (1, 2)
    ),
    path("authz/", include(_pages)),
]

# Below the CSC API's base, not below ours: the composition mounts them (or a proxy, where the roles are apart).
_csc_methods = {
    "auth/login": csc.login,
    "auth/revoke": csc.revoke,
    "oauth2/authorize": csc_oauth.forward,
    "oauth2/pushed_authorize": csc_oauth.pushed_authorize,
    "oauth2/token": csc_oauth.token,
    "oauth2/revoke": csc_oauth.revoke,
}
csc_urlpatterns = [
    path(f"csc/v{version}/{method}", view, {"version": version}, name=f"csc_v{version}_{method.replace('/', '_')}")
    for version in (1, 2)
    for method, view in _csc_methods.items()
    # Version 1 knows no pushed requests.
    if (version, method) != (1, "oauth2/pushed_authorize")
]
