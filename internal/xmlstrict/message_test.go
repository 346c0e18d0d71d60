package xmlstrict_test

import "github.com/wardsmsp/ward/internal/xmlstrict"

// generous lets everything through that the grammar allows, within the limits
// of libxml2.
var generous = xmlstrict.Limits{
	Bytes: 1 << 20, Depth: 200, Elements: 1 << 16, Attributes: 200, Name: 1000, Value: 1 << 20,
}

// message is a request of the usual shape and length: SOAP headers, an
// envelope around them and an HL7 payload, indented as most clients do.
const message = `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"
    xmlns:wsa="http://www.w3.org/2005/08/addressing"
    xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    xmlns:itk="urn:nhs-itk:ns:201005">
  <soap:Header>
    <wsa:MessageID>5A4D1C7E-0C43-4B0F-9A57-2C9D7C0B1F11</wsa:MessageID>
    <wsa:Action>urn:nhs-itk:services:201005:sendRecvDistEnvelope</wsa:Action>
    <wsa:To>https://smsp.ward.example/smsp/cpis</wsa:To>
    <wsa:From>
      <wsa:Address>https://ed.hazelbrook.example/cpis</wsa:Address>
    </wsa:From>
    <wsa:FaultTo>
      <wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address>
    </wsa:FaultTo>
    <wsa:ReplyTo>
      <wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address>
    </wsa:ReplyTo>
    <wsse:Security>
      <wsu:Timestamp wsu:Id="TS-7C1B5E20-93F4-4A7E-8F6E-55B1D3A0C2E4">
        <wsu:Created>2026-03-14T09:26:53Z</wsu:Created>
        <wsu:Expires>2026-03-14T09:36:53Z</wsu:Expires>
      </wsu:Timestamp>
      <wsse:UsernameToken>
        <wsse:Username>hazelbrook-ed</wsse:Username>
      </wsse:UsernameToken>
    </wsse:Security>
  </soap:Header>
  <soap:Body>
    <itk:DistributionEnvelope>
      <itk:header service="urn:nhs-itk:services:201005:sendRecvDistEnvelope" trackingid="0B7F3D52-6A1E-4C88-9E0D-4F2A9B6C7D10">
        <itk:addresslist>
          <itk:address type="2.16.840.1.113883.2.1.3.2.4.18.22" uri="urn:nhs-uk:addressing:ods:X26:cpis"/>
        </itk:addresslist>
        <itk:auditIdentity>
          <itk:id type="2.16.840.1.113883.2.1.3.2.4.18.27" uri="urn:nhs-uk:identity:ods:RZZ99:ed:n.quill"/>
          <itk:id type="1.2.826.0.1285.0.2.0.65" uri="999000111222"/>
          <itk:id type="1.2.826.0.1285.0.2.0.67" uri="999000111333"/>
        </itk:auditIdentity>
        <itk:manifest count="1">
          <itk:manifestitem id="uuid_1D6E8A34-72C5-4F19-B8A0-E3C4D5F60718" mimetype="text/xml" profileid="urn:nhs-en:profile:CP-ISNHSQuery-v2-0" base64="false" compressed="false" encrypted="false"/>
        </itk:manifest>
        <itk:senderAddress type="2.16.840.1.113883.2.1.3.2.4.18.22" uri="urn:nhs-uk:addressing:ods:RZZ99:ed"/>
        <itk:handlingSpecification>
          <itk:spec key="urn:nhs-itk:ns:201005:interaction" value="urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"/>
          <itk:spec key="urn:nhs-itk:ns:201005:ackrequested" value="false"/>
          <itk:spec key="urn:nhs-itk:ns:201005:infackrequested" value="false"/>
          <itk:spec key="urn:nhs-itk:ns:201005:busresponserequested" value="true"/>
        </itk:handlingSpecification>
      </itk:header>
      <itk:payloads count="1">
        <itk:payload id="uuid_1D6E8A34-72C5-4F19-B8A0-E3C4D5F60718">
          <CP-ISQueryStub xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation">
            <cP-ISNHSQuery classCode="CACT" moodCode="RQO">
              <effectiveTime value="20260314092653+0000"/>
              <id root="C4B3A291-8070-4F5E-9D6C-1B2A39485766"/>
              <author typeCode="AUT" contextControlCode="OP">
                <npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145102GB01#AssignedAuthor"/>
                <COCT_TP145102GB01.AssignedAuthor classCode="ASSIGNED">
                  <code code="R8003" codeSystem="1.2.826.0.1285.0.2.1.104" displayName="Nurse &amp; Manager"/>
                  <id root="1.2.826.0.1285.0.2.0.65" extension="999000111222"/>
                  <id root="1.2.826.0.1285.0.2.0.67" extension="999000111333"/>
                  <assignedAuthorPerson classCode="PSN" determinerCode="INSTANCE">
                    <name>
                      <prefix>Ms</prefix>
                      <given>Nadia</given>
                      <family>Quill</family>
                    </name>
                  </assignedAuthorPerson>
                  <representedOrganization classCode="ORG" determinerCode="INSTANCE">
                    <id root="1.2.826.0.1285.0.1.10" extension="RZZ99"/>
                    <name>Hazelbrook Hospital &#x2013; Emergency Department</name>
                  </representedOrganization>
                </COCT_TP145102GB01.AssignedAuthor>
              </author>
              <author1 typeCode="AUT">
                <npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145207GB01#AssignedDevice"/>
                <COCT_TP145207GB01.AssignedDevice classCode="ASSIGNED">
                  <id root="1.2.826.0.1285.0.2.0.107" extension="999000444555"/>
                  <assignedDevice classCode="DEV" determinerCode="INSTANCE">
                    <manufacturerModelName>Invented Ward Round</manufacturerModelName>
                    <softwareName>Emergency department 7.2</softwareName>
                  </assignedDevice>
                </COCT_TP145207GB01.AssignedDevice>
              </author1>
              <!-- one child only -->
              <value root="2.16.840.1.113883.2.1.4.1" extension="9990000018"/>
            </cP-ISNHSQuery>
          </CP-ISQueryStub>
        </itk:payload>
      </itk:payloads>
    </itk:DistributionEnvelope>
  </soap:Body>
</soap:Envelope>
`
