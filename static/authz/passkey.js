// Runs a passkey prompt for a form and posts the answer with it.
//
// <form data-passkey="create|get" data-options="id of a JSON block" data-cancelled="…" data-failed="…" data-unsupported="…">
// The JSON block holds an array of {passkey, options}; a checked input named "passkey" chooses one, else the first is used.
// A button with the value "code" posts the form without a prompt. With data-autofill the browser offers this site's
// passkeys in a field with autocomplete "webauthn", and the one that is chosen there posts the form by itself.
// Until this runs, buttons with data-awaits-script are disabled: pressed before, they would post a form without a passkey.

const decode = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0)).buffer;
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const withIds = (list) => (list ?? []).map((item) => ({ ...item, id: decode(item.id) }));

function creationOptions(json) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(json);
  return {
    ...json,
    challenge: decode(json.challenge),
    user: { ...json.user, id: decode(json.user.id) },
    excludeCredentials: withIds(json.excludeCredentials),
  };
}

function requestOptions(json) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(json);
  return { ...json, challenge: decode(json.challenge), allowCredentials: withIds(json.allowCredentials) };
}

function toJSON(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { response } = credential;
  const parts = { clientDataJSON: encode(response.clientDataJSON) };
  if (response.attestationObject) {
    parts.attestationObject = encode(response.attestationObject);
    parts.transports = response.getTransports?.() ?? [];
  } else {
    parts.authenticatorData = encode(response.authenticatorData);
    parts.signature = encode(response.signature);
    parts.userHandle = response.userHandle ? encode(response.userHandle) : undefined;
  }
  return {
    id: credential.id,
    rawId: credential.id,
    type: credential.type,
    response: parts,
    clientExtensionResults: credential.getClientExtensionResults(),
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
  };
}

function optionsOf(form) {
  const choices = JSON.parse(document.getElementById(form.dataset.options).textContent);
  const chosen = form.querySelector('input[name="passkey"]:checked')?.value;
  return (choices.find((choice) => String(choice.passkey) === chosen) ?? choices[0]).options;
}

async function prompt(form) {
  const options = optionsOf(form);
  return form.dataset.passkey === "create"
    ? navigator.credentials.create({ publicKey: creationOptions(options) })
    : navigator.credentials.get({ publicKey: requestOptions(options) });
}

let autofill; // ends the offer in the field, since a page may have one prompt at a time

async function offerInAutofill(form) {
  if (!(await window.PublicKeyCredential?.isConditionalMediationAvailable?.())) return;
  autofill = new AbortController();
  try {
    const publicKey = requestOptions(optionsOf(form));
    const found = await navigator.credentials.get({ publicKey, mediation: "conditional", signal: autofill.signal });
    form.elements.response.value = JSON.stringify(toJSON(found));
    form.submit();
  } catch {
    // Nobody chose one there; the rest of the page stands.
  }
}

function setBusy(button, busy) {
  const label = button.querySelector("span");
  if (busy) {
    button.setAttribute("aria-busy", "true");
    button.setAttribute("aria-disabled", "true");
    button.dataset.idleLabel ??= label.textContent;
    label.textContent = button.dataset.busyLabel ?? label.textContent;
  } else {
    button.removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
    label.textContent = button.dataset.idleLabel;
  }
}

function say(form, sentence) {
  const place = form.querySelector("[data-passkey-problem]");
  place.querySelector("[data-passkey-sentence]").textContent = sentence;
  place.hidden = false;
  place.focus();
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  let running = false;
  for (const each of form.elements) if ("awaitsScript" in each.dataset) each.disabled = false;
  if ("autofill" in form.dataset) offerInAutofill(form);
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.value === "code") return;
    event.preventDefault();
    if (running) return;
    form.querySelector("[data-passkey-problem]").hidden = true;
    if (!window.PublicKeyCredential) {
      say(form, form.dataset.unsupported);
      return;
    }
    running = true;
    const button = event.submitter ?? form.querySelector('button[type="submit"]');
    setBusy(button, true);
    autofill?.abort();
    try {
      form.elements.response.value = JSON.stringify(toJSON(await prompt(form)));
      form.submit();
    } catch (error) {
      running = false;
      setBusy(button, false);
      const cancelled = error.name === "NotAllowedError" || error.name === "AbortError";
      const known = error.name === "InvalidStateError" && form.dataset.known;
      say(form, known || (cancelled ? form.dataset.cancelled : form.dataset.failed));
    }
  });
}
