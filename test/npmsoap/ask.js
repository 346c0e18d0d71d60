// Asks questions with the npm package soap, a SOAP client that knows nothing of Ward
// and learns what it needs from the WSDL that the provider serves.
//
// Reads one JSON document on standard input (see main) and prints one on standard
// output: for each question what came of it.
'use strict';

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const soap = require('soap');

const SERVICE = 'urn:nhs-itk:services:201005:sendRecvDistEnvelope';
const ADDRESSING = 'http://www.w3.org/2005/08/addressing';
const SECURITY = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
const UTILITY = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd';

const newId = () => randomUUID().toUpperCase();
const attributes = (values) => ({ attributes: values });

// connect reads the WSDL over mutual TLS. Nothing here asks twice: the package sends
// a request once, and no proxy or redirect comes between.
async function connect({ wsdl, certificate, key, ca }) {
  const files = [key, certificate, ca].map((path) => fs.readFileSync(path));
  const direct = { proxy: false, maxRedirects: 0, timeout: 20_000 };
  const httpsAgent = new https.Agent({ key: files[0], cert: files[1], ca: files[2] });
  const client = await soap.createClientAsync(wsdl, { wsdl_options: { httpsAgent, ...direct } });
  client.setSecurity(new soap.ClientSSLSecurity(...files, direct));
  return client;
}

// address writes the header blocks of a new message and returns its id.
function address(client, url, username) {
  const id = newId();
  const time = (ms) => new Date(Date.now() + ms).toISOString();
  client.clearSoapHeaders();
  client.addSoapHeader({ MessageID: id, Action: SERVICE, To: url }, '', 'wsa', ADDRESSING);
  client.addSoapHeader({
    Security: {
      'wsu:Timestamp': { attributes: { 'xmlns:wsu': UTILITY }, 'wsu:Created': time(-1000), 'wsu:Expires': time(300_000) },
      'wsse:UsernameToken': { 'wsse:Username': username },
    },
  }, '', 'wsse', SECURITY);
  return id;
}

// question is about one person, by a system with a responsible person.
function question(party, number) {
  return {
    effectiveTime: attributes({ value: new Date().toISOString().replace(/[-:T]|\..*/g, '') + '+0000' }),
    id: attributes({ root: newId() }),
    author: {
      contentId: attributes({ root: '2.16.840.1.113883.2.1.3.2.4.18.16', extension: 'COCT_TP145104GB01#System' }),
      'COCT_TP145104GB01.System': {
        id: attributes({ root: '1.2.826.0.1285.0.2.0.107', extension: party.asid }),
        indirectAuthority: {
          superiorAssignedEntity: {
            code: attributes({ code: 'R0580', codeSystem: '2.16.840.1.113883.2.1.3.2.4.17.196', displayName: 'Nurse Manager' }),
            assignedPerson: { name: { given: 'Imogen', family: 'Hartley' } },
          },
        },
        maintainingOrganization: {
          id: attributes({ root: '2.16.840.1.113883.2.1.3.2.4.19.1', extension: party.organisation }),
          name: 'Example Hospital',
        },
      },
    },
    queryByParameter: { 'person.NHSnumber': { value: attributes({ extension: number }) } },
  };
}

function envelope(party, query) {
  const payload = 'uuid_' + newId();
  return {
    header: {
      attributes: { service: SERVICE, trackingid: newId() },
      auditIdentity: { id: attributes({ uri: party.audit_identity }) },
      manifest: {
        attributes: { count: 1 },
        manifestitem: attributes({ id: payload, mimetype: 'text/xml', profileid: 'urn:nhs-en:profile:CP-ISNHSQuery-v1-0' }),
      },
      handlingSpecification: {
        spec: attributes({ key: 'urn:nhs-itk:ns:201005:interaction', value: 'urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0' }),
      },
    },
    payloads: {
      attributes: { count: 1 },
      payload: { attributes: { id: payload }, 'CP-ISQueryStub': { 'cP-ISNHSQuery': query } },
    },
  };
}

const list = (value) => (value === undefined ? [] : [].concat(value));

// planOf is the type, start and end of a plan; "" where no end date is recorded.
function planOf(held) {
  for (const [type, template, prefix] of [
    ['CPP', 'COCT_TP146105GB01.CPPInformation', 'cPP'],
    ['LAC', 'COCT_TP146103GB01.LACInformation', 'lAC'],
    ['UCP', 'COCT_TP146104GB01.UCPInformation', 'uCP'],
  ]) {
    const plan = held[template];
    if (plan !== undefined) {
      const end = plan.component1 && plan.component1[prefix + 'EndDate'].value.attributes.value;
      return { type, start: plan.component[prefix + 'StartDate'].value.attributes.value, end: end || '' };
    }
  }
  throw new Error('a plan of no known type');
}

function answerOf(body, header) {
  const response = body.payloads.payload['CP-ISNHSQueryResponse'];
  const records = list(response.pertinentInformation14).flatMap((a) => list(a['pertinentCP-ISRecordControlAct'].record));
  return {
    code: response.value.attributes.code,
    total_records: Number(response.pertinentInformation12.pertinentTotalReturnedChildRecords.value.attributes.value),
    accesses: list(response.pertinentInformation13).length,
    authorities: records.map((r) => r.communicationFunctionSnd.organisation.name),
    plans: records.flatMap((r) => list(r['CP-ISRecord'].pertinentInformation15).map(planOf)),
    relates_to: header.RelatesTo,
  };
}

function faultOf(fault) {
  const info = fault.detail.ToolkitErrorInfo;
  // The diagnostic text says so if the message was used before: then the outcome is unknown.
  return { fault_code: fault.faultcode, error_code: info.ErrorCode.$value || info.ErrorCode, error_text: info.ErrorText, diagnostic: info.ErrorDiagnosticText };
}

async function ask(client, party, job) {
  const url = client.wsdl.services.CPIS.ports.CPIS.location;
  const id = address(client, url, job.username || party.username);
  const answer = { sent_id: id };
  try {
    const [body, , header] = await client.sendRecvDistEnvelopeAsync(envelope(party, question(party, job.nhs_number)));
    Object.assign(answer, answerOf(body, header));
  } catch (error) {
    if (error.root === undefined) throw error; // no SOAP fault: the outcome is unknown
    Object.assign(answer, faultOf(error.root.Envelope.Body.Fault)); // not asked; but see the diagnostic text
  }
  return { ...answer, sent: client.lastRequest };
}

// main takes wsdl (URL), certificate, key, ca (paths), party (username,
// audit_identity, asid, organisation) and jobs (nhs_number and, where it differs
// from the party's, username).
async function main() {
  const document = JSON.parse(fs.readFileSync(0, 'utf8'));
  const client = await connect(document);
  const answers = [];
  for (const job of document.jobs) {
    answers.push(await ask(client, document.party, job));
  }
  process.stdout.write(JSON.stringify(answers));
}

main().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
