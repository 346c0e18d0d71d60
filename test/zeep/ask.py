"""Asks questions with zeep, a SOAP client that knows nothing of Ward.

Reads one JSON document on standard input (see main) and prints one on standard
output: for each question what a typed client makes of the answer or the fault,
and the message as zeep sent it.
"""

import datetime
import json
import sys
import uuid

import requests
import zeep
from lxml import etree
from zeep import ns
from zeep.plugins import HistoryPlugin
from zeep.wsse.username import UsernameToken
from zeep.wsse.utils import WSU, get_timestamp

ITK = "{urn:nhs-itk:ns:201005}"
SERVICE = "urn:nhs-itk:services:201005:sendRecvDistEnvelope"
PLANS = {
    "CPP": ("COCT_TP146105GB01.CPPInformation", "cPPStartDate", "cPPEndDate"),
    "LAC": ("COCT_TP146103GB01.LACInformation", "lACStartDate", "lACEndDate"),
    "UCP": ("COCT_TP146104GB01.UCPInformation", "uCPStartDate", "uCPEndDate"),
}


def new_id():
    return str(uuid.uuid4()).upper()


def lifetime(style):
    """A timestamp as clients of this stack make it: by its helper (+00:00), with
    Z and a fraction, or without a zone."""
    now = datetime.datetime.utcnow() - datetime.timedelta(seconds=1)
    end = now + datetime.timedelta(minutes=5)
    if style == "helper":
        texts = get_timestamp(now), get_timestamp(end)
    elif style == "fraction":
        texts = now.isoformat(timespec="milliseconds") + "Z", end.isoformat(timespec="milliseconds") + "Z"
    else:
        texts = now.isoformat(timespec="seconds"), end.isoformat(timespec="seconds")
    stamp = WSU.Timestamp()
    stamp.extend([WSU.Created(texts[0]), WSU.Expires(texts[1])])
    return stamp


def question(party, job):
    """A question by a system with a responsible person."""
    organisation = {"id": {"root": "2.16.840.1.113883.2.1.3.2.4.19.1", "extension": party["organisation"]}, "name": "Example Hospital"}
    system = {
        "id": {"root": "1.2.826.0.1285.0.2.0.107", "extension": job.get("asid", party["asid"])},
        "indirectAuthority": [{"superiorAssignedEntity": {
            "code": {"code": "R0580", "codeSystem": "2.16.840.1.113883.2.1.3.2.4.17.196", "displayName": "Nurse Manager"},
            "assignedPerson": {"name": {"_value_1": [{"given": "Imogen"}, {"family": "Hartley"}]}},
        }}],
        "maintainingOrganization": organisation,
    }
    return {
        "effectiveTime": {"value": datetime.datetime.utcnow().strftime("%Y%m%d%H%M%S+0000")},
        "id": {"root": new_id()},
        "author": {
            "contentId": {"root": "2.16.840.1.113883.2.1.3.2.4.18.16", "extension": "COCT_TP145104GB01#System"},
            "COCT_TP145104GB01.System": system,
        },
        "queryByParameter": {"person.NHSnumber": {"value": {"extension": job["nhs_number"]}}},
    }


def envelope(party, query):
    """The two arguments of the operation."""
    payload = "uuid_" + new_id()
    header = {
        "service": SERVICE,
        "trackingid": new_id(),
        "auditIdentity": {"id": [{"uri": party["audit_identity"]}]},
        "manifest": {"count": 1, "manifestitem": {
            "id": payload, "mimetype": "text/xml", "profileid": "urn:nhs-en:profile:CP-ISNHSQuery-v1-0",
            "base64": False, "compressed": False, "encrypted": False,
        }},
        "handlingSpecification": {"spec": [{
            "key": "urn:nhs-itk:ns:201005:interaction", "value": "urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"}]},
    }
    return header, {"count": 1, "payload": {"id": payload, "CP-ISQueryStub": {"cP-ISNHSQuery": query}}}


def plan_of(held):
    for kind, (template, start, end) in PLANS.items():
        plan = held[template]
        if plan is not None:
            ends = plan["component1"]
            return {"type": kind, "start": plan["component"][start]["value"]["value"],
                    "end": ends[end]["value"]["value"] if ends is not None else ""}
    raise ValueError("a plan of no known type")


def subject_of(held):
    child, mother = held["COCT_TP145101GB01.Child"], held["COCT_TP145100GB01.UnbornChild"]
    person = child["childPerson"] if child is not None else mother["parentMotherPerson"]
    ids = child["id"] if child is not None else person["playedMother"]["id"]
    return {"nhs_number": ids[0]["extension"], "birth": person["birthTime"]["value"],
            "given": person["name"]["given"], "family": person["name"]["family"], "mother": child is None}


def record_of(held):
    authority = held["communicationFunctionSnd"]["organisation"]
    numbers = {telecom["use"]: telecom["value"] for telecom in authority["telecom"]}
    return {
        "authority_code": authority["id"]["extension"], "authority_name": authority["name"],
        "office_hours": numbers.get("WP", ""), "emergency_duty": numbers.get("EC", ""),
        "plans": [plan_of(p) for p in held["CP-ISRecord"]["pertinentInformation15"]],
        "subjects": [subject_of(s) for s in held["CP-ISRecord"]["subject"]],
    }


def answer_of(body, header):
    response = body["payloads"]["payload"]["CP-ISNHSQueryResponse"]
    accesses = response["pertinentInformation13"]
    return {
        "code": response["value"]["code"],
        "code_system": response["value"]["codeSystem"],
        "total_accesses": int(response["pertinentInformation11"]["pertinentTotalReturnedAccessRecords"]["value"]["value"]),
        "total_records": int(response["pertinentInformation12"]["pertinentTotalReturnedChildRecords"]["value"]["value"]),
        "accesses": [a["pertinentCP-ISNHSQuery"]["queryByParameter"]["person.NHSnumber"]["value"]["extension"] for a in accesses],
        "records": [record_of(r) for a in response["pertinentInformation14"] for r in a["pertinentCP-ISRecordControlAct"]["record"]],
        "relates_to": header.findtext("{%s}RelatesTo" % ns.WSA),
    }


def fault_of(fault):
    info = fault.detail.find(ITK + "ToolkitErrorInfo")
    return {
        "fault_code": fault.code,
        "error_code": info.findtext(ITK + "ErrorCode"),
        "error_text": info.findtext(ITK + "ErrorText"),
        # Says so if the message was used before: then the outcome is unknown.
        "diagnostic": info.findtext(ITK + "ErrorDiagnosticText"),
    }


def ask(session, document, job):
    history = HistoryPlugin()
    party = document["party"]
    client = zeep.Client(
        document["wsdl"],
        transport=zeep.Transport(session=session, operation_timeout=20),
        wsse=UsernameToken(job.get("username", party["username"]), job.get("password"), timestamp_token=lifetime(job["timestamp"])),
        # The plugin for WS-Addressing comes by itself, because the WSDL names actions.
        plugins=[history],
    )
    header, payloads = envelope(party, question(party, job))
    try:
        body = client.service.sendRecvDistEnvelope(header=header, payloads=payloads)
        result = answer_of(body, history.last_received["envelope"].find("{%s}Header" % ns.SOAP_ENV_11))
    except zeep.exceptions.Fault as fault:  # not asked; but see the diagnostic text
        result = fault_of(fault)
    # Any other exception leaves the outcome unknown: never ask again because of it.
    sent = history.last_sent
    result["sent"] = etree.tostring(sent["envelope"], encoding="unicode")
    result["sent_headers"] = dict(sent["http_headers"])
    result["message_id"] = sent["envelope"].findtext(".//{%s}MessageID" % ns.WSA)
    return result


def main():
    """Input: wsdl (URL), certificate, key, ca (paths), party (username,
    audit_identity, asid, organisation) and jobs (nhs_number, timestamp and, where
    it differs from the party's, username, password or asid)."""
    document = json.load(sys.stdin)
    session = requests.Session()
    session.trust_env = False  # no proxy and no anchors but those given here
    session.cert = (document["certificate"], document["key"])
    session.verify = document["ca"]
    json.dump([ask(session, document, job) for job in document["jobs"]], sys.stdout)


main()
