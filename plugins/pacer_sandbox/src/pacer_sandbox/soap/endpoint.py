"""The SOAP endpoint: an envelope in, an envelope out."""

import logging
import re
from collections.abc import Callable

from pacer_sandbox import writes
from pacer_sandbox.beans import Bean
from pacer_sandbox.catalogue import Catalogue
from pacer_sandbox.errors import ERROR_TYPES, IcatError
from pacer_sandbox.lexical import read
from pacer_sandbox.misbehave import AwayError, LostError
from pacer_sandbox.rules import Right
from pacer_sandbox.schema import Field
from pacer_sandbox.sessions import KEYS
from pacer_sandbox.soap import encode
from pacer_sandbox.soap.decode import BeanReader, Request, SoapError, parse
from pacer_sandbox.soap.description import wsdl, xsd

Answer = tuple[int, bytes]
_log = logging.getLogger(__name__)
_FROM = re.compile(r"\bFROM\s+(\w+)|^\W*\d*\W*\d*\W*(?:DISTINCT\s+|[A-Z]+\s*\()?\s*([A-Z]\w+)", re.IGNORECASE)
_ACCESS: dict[str, Right] = {"CREATE": "C", "READ": "R", "UPDATE": "U", "DELETE": "D"}


class SoapEndpoint:
    """Answers the 20 operations of ICAT's port."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._beans = BeanReader(catalogue.schema, catalogue.zone)
        self._encoder = encode.Encoder(catalogue.schema, catalogue.zone)
        self._xsd = ""
        self._operations: dict[str, Callable[[Request], str]] = {
            "login": self._login,
            "logout": self._logout,
            "refresh": self._refresh,
            "getUserName": self._user_name,
            "getRemainingMinutes": self._remaining_minutes,
            "create": self._create,
            "createMany": self._create_many,
            "update": self._update,
            "delete": self._delete,
            "deleteMany": self._delete_many,
            "get": self._get,
            "search": self._search,
            "isAccessAllowed": self._is_access_allowed,
            "getApiVersion": self._version,
            "getVersion": self._version,
            "getEntityNames": self._entity_names,
            "getEntityInfo": self._entity_info,
            "getAuthenticatorInfo": self._authenticators,
            "getProperties": self._properties,
        }

    def describe(self, endpoint: str, query: str) -> bytes:
        """Return the WSDL, or the XSD where the query string asks for it."""
        if query.startswith("xsd"):
            self._xsd = self._xsd or xsd(self._catalogue.schema, ERROR_TYPES)
            return self._xsd.encode()
        return wsdl(endpoint).encode()

    def answer(self, body: bytes) -> Answer:
        """Do what an envelope asks. Raises LostError and AwayError for the server to act on."""
        try:
            request = parse(body)
            operation = self._operations.get(request.operation)
            if operation is None:
                raise SoapError(f"Cannot find dispatch method for {request.operation}")
            about = _entity_of(request)
            with self._catalogue.logged(request.operation, about):
                lose = self._catalogue.misbehave.before(request.operation, about)
                content = operation(request)
                if lose:
                    raise LostError
            return 200, encode.envelope(request.operation, content)
        except IcatError as exc:
            return 500, encode.fault(exc)
        except SoapError as exc:
            return 500, encode.plain_fault("Client", str(exc))
        except (LostError, AwayError):
            raise
        except Exception as exc:  # a fault of the sandbox itself: the client is to see one, too
            _log.exception("the sandbox failed in a SOAP call; please report this")
            return 500, encode.fault(IcatError("INTERNAL", f"{type(exc).__name__} in the sandbox"))

    def _login(self, request: Request) -> str:
        user = self._catalogue.accounts.user(request.text("plugin"), request.entries())
        return _strings(self._catalogue.sessions.open(user))

    def _logout(self, request: Request) -> str:
        self._catalogue.sessions.close(request.text("sessionId"))
        return ""

    def _refresh(self, request: Request) -> str:
        self._catalogue.sessions.refresh(request.text("sessionId"))
        return ""

    def _user_name(self, request: Request) -> str:
        return _strings(self._catalogue.sessions.user(request.text("sessionId")))

    def _remaining_minutes(self, request: Request) -> str:
        return _strings(repr(self._catalogue.sessions.remaining_minutes(request.text("sessionId"))))

    def _create(self, request: Request) -> str:
        bean = self._bean(request)
        return _strings(str(writes.create(self._catalogue.caller(request.text("sessionId")), bean)))

    def _create_many(self, request: Request) -> str:
        beans = self._beans.beans(request.all("beans"))
        ids = writes.create_many(self._catalogue.caller(request.text("sessionId")), beans)
        return _strings(*map(str, ids))

    def _update(self, request: Request) -> str:
        bean = self._bean(request)
        writes.update(self._catalogue.caller(request.text("sessionId")), bean)
        return ""

    def _delete(self, request: Request) -> str:
        bean = self._bean(request)
        writes.delete_many(self._catalogue.caller(request.text("sessionId")), [bean])
        return ""

    def _delete_many(self, request: Request) -> str:
        beans = self._beans.beans(request.all("beans"))
        writes.delete_many(self._catalogue.caller(request.text("sessionId")), beans)
        return ""

    def _get(self, request: Request) -> str:
        caller = self._catalogue.caller(request.text("sessionId"))
        key = read(request.text("primaryKey") or "", "Long", self._catalogue.zone)
        name, record = self._catalogue.get(caller, request.text("query") or "", int(key or 0))
        return self._encoder.entity(name, record)

    def _search(self, request: Request) -> str:
        caller = self._catalogue.caller(request.text("sessionId"))
        text = request.text("query")
        if text is None:
            raise IcatError("BAD_PARAMETER", "query may not be null")
        result = self._catalogue.search(caller, text)
        return self._encoder.rows(result.columns, result.rows)

    def _is_access_allowed(self, request: Request) -> str:
        bean = self._bean(request)
        caller = self._catalogue.caller(request.text("sessionId"))
        access = _ACCESS.get((request.text("accessType") or "").strip())
        if access is None:
            raise IcatError(
                "BAD_PARAMETER", "invalid access type, must be 'READ', 'UPDATE', 'DELETE' or 'CREATE'"
            )
        if access == "C":
            allowed = writes.may_create(caller, bean)
        else:
            with caller.reading() as (_, rights):
                allowed = bool(rights.allowed(access, bean.entity.name, [bean.id or 0]))
        return _strings("true" if allowed else "false")

    def _version(self, request: Request) -> str:
        return _strings(self._catalogue.schema.version)

    def _entity_names(self, request: Request) -> str:
        return _strings(*(entity.name for entity in self._catalogue.schema))

    def _entity_info(self, request: Request) -> str:
        name = request.text("beanName") or ""
        found = self._catalogue.entity_fields(name)
        if found is None:
            raise IcatError("BAD_PARAMETER", f"{name} is not an ICAT entity")
        entity, fields = found
        comment = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()
        key = "" if name == "Parameter" else "".join(f"<fieldNames>{k}</fieldNames>" for k in entity.key)
        return (
            f"<return><classComment>{comment}</classComment>"
            + (f"<constraints>{key}</constraints>" if key else "")
            + "".join(map(_field_info, fields))
            + "</return>"
        )

    def _authenticators(self, request: Request) -> str:
        def keys(mnemonic: str) -> str:
            return "".join(
                f"<keys><hide>{str(key == 'password').lower()}</hide><name>{key}</name></keys>"
                for key in KEYS[mnemonic]
            )

        return "".join(
            f"<return><admin>false</admin>{keys(name)}<mnemonic>{name}</mnemonic></return>"
            for name in self._catalogue.accounts.authenticators
        )

    def _properties(self, request: Request) -> str:
        caller = self._catalogue.caller(request.text("sessionId"))
        if caller.user not in caller.root_users:
            raise IcatError("INSUFFICIENT_PRIVILEGES", "user must be in rootUserNames")
        return _strings(
            f"maxEntities {self._catalogue.max_entities}",
            f"lifetimeMinutes {self._catalogue.sessions.lifetime // 60:.0f}",
            f"rootUserNames {' '.join(sorted(caller.root_users))}",
        )

    def _bean(self, request: Request) -> Bean:
        elements = request.all("bean")
        if not elements:
            raise IcatError("INTERNAL", "java.lang.NullPointerException")
        return self._beans.bean(elements[0])


def _strings(*values: str) -> str:
    return "".join(f"<return>{encode.escaped(value)}</return>" for value in values)


def _field_info(f: Field) -> str:
    length = "" if f.length is None else f"<stringLength>{f.length}</stringLength>"
    return (
        f"<fields><name>{f.name}</name><notNullable>{str(f.not_null).lower()}</notNullable>"
        f"<relType>{f.rel_type}</relType>{length}<type>{f.type}</type></fields>"
    )


def _entity_of(request: Request) -> str:
    """Return the entity that a call is about, as far as one sees without doing it."""
    elements = request.all("bean") or request.all("beans")
    if elements:
        name = (elements[0].get("{http://www.w3.org/2001/XMLSchema-instance}type") or "").rpartition(":")[2]
        return name[:1].upper() + name[1:]
    found = _FROM.search(request.text("query") or "")
    return (found.group(1) or found.group(2)) if found else ""
