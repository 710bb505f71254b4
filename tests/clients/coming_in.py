"""How somebody comes in from a program: set up with a first secret and an authenticator app, logged in, and with tokens that are what the keys say."""

import base64
import hashlib
import hmac
import struct
import time
import uuid
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import jwt
from squareoff_client import AuthenticatedClient, Client, models
from squareoff_client.api.log_in import begin_enrolment, confirm_enrolment, log_in, me, public_keys, refresh
from squareoff_client.api.people import enrol_operator

T = TypeVar("T")


def of(kind: type[T], answer: object) -> T:
    """The answer, which has to be of this type."""
    assert isinstance(answer, kind), f"{kind.__name__} was expected: {answer}"
    return answer


def key() -> str:
    return str(uuid.uuid4())


def code(otpauth_uri: str) -> str:
    """What an authenticator app shows now (RFC 6238, as the URI says it)."""
    asked = parse_qs(urlsplit(otpauth_uri).query)
    secret = asked["secret"][0]
    digest = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def come_in(url: str, account: str, secret: str) -> AuthenticatedClient:
    door = Client(base_url=url)
    password = "eleven grey herons over the weir"
    begun = models.BeginEnrolment(account=account, secret=secret, password=password)
    app = of(models.SecondFactorToSetUp, begin_enrolment.sync(client=door, body=begun))
    shown = code(app.otpauth_uri)
    confirmed = models.ConfirmEnrolment(account=account, secret=secret, code=shown)
    codes = of(models.RecoveryCodes, confirm_enrolment.sync(client=door, body=confirmed)).recovery_codes

    # A code counts once: the one that set the app up lets nobody in.
    asked = models.LogIn(account=account, password=password, mode=models.LogInMode.TOKEN, code=shown)
    replayed = of(models.Problem, log_in.sync(client=door, body=asked))
    assert replayed.type_ == "urn:squareoff:problem:log-in-refused", replayed
    asked = models.LogIn(account=account, password=password, mode=models.LogInMode.TOKEN, recovery_code=codes[0])
    granted = of(models.LoggedIn, log_in.sync(client=door, body=asked))

    # The refresh token counts once too, and gives another.
    renewal = models.Refresh(refresh_token=of(str, granted.refresh_token))
    renewed = of(models.LoggedIn, refresh.sync(client=door, body=renewal))
    assert renewed.refresh_token != granted.refresh_token
    token = of(str, renewed.access_token)
    check(door, token, account)
    client = AuthenticatedClient(base_url=url, token=token)
    assert of(models.Me, me.sync(client=client)).operator == account
    return client


def check(door: Client, token: str, account: str) -> None:
    """As another service would: by a library of the field and the keys that are told, with nothing of ours."""
    told = jwt.PyJWKSet.from_dict(of(models.PublicKeys, public_keys.sync(client=door)).to_dict())
    signer = told[jwt.get_unverified_header(token)["kid"]]
    required = jwt.types.Options(require=["iss", "aud", "sub", "iat", "exp"])
    claims = jwt.decode(token, signer, algorithms=["EdDSA"], audience="squareoff-api", issuer="squareoff", options=required)
    assert claims["sub"] == account and claims["exp"] - claims["iat"] == 300, claims


def enrol(admin: AuthenticatedClient, account: str, role: models.RoleName) -> str:
    """Gives the secret to hand over; whoever lost it asks for the same again."""
    who = models.Enrol(operator=account, name=account.title(), role=role, reason="a scripted desk day")
    name = key()
    given = of(models.HandOver, enrol_operator.sync(client=admin, body=who, idempotency_key=name))
    again = of(models.HandOver, enrol_operator.sync(client=admin, body=who, idempotency_key=name))
    assert again == given
    return of(str, given.secret)
