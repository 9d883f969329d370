//! What goes wrong on a TLS connection, in words that name the cause.

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// Why a handshake or a connection failed. It is about this one connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The first bytes are no TLS.
    #[error("the other side speaks no TLS, it sent {0}: is one of the two plain (tcp:) and the other tls:?")]
    NotTls(String),
    /// The certificate of the other side was not taken.
    #[error("the certificate of the other side is not trusted: {0}")]
    Untrusted(String),
    /// It showed none.
    #[error("the other side showed no certificate, and this one wants one")]
    NoCertificate,
    /// The other side says by an alert that it will not.
    #[error("the other side {0}")]
    Refused(String),
    /// It closed the connection before the handshake was done.
    #[error("the other side has closed the connection during the TLS handshake: is it a plain port (tcp:)?")]
    Closed,
    /// It did not answer.
    #[error("the TLS handshake was not done in time")]
    TimedOut,
    /// It went away without the end that TLS writes: the last bytes may be missing.
    #[error("the connection ended without the end of TLS")]
    Cut,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> TlsError {
        use rustls::Error;
        match error {
            Error::InvalidCertificate(why) => TlsError::Untrusted(untrusted(&why)),
            Error::NoCertificatesPresented => TlsError::NoCertificate,
            Error::AlertReceived(alert) => TlsError::Refused(alerted(alert)),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                TlsError::NotTls("something else".into())
            }
            Error::PeerIncompatible(why) => TlsError::Failed(format!(
                "the two sides have no protocol version or cipher suite in common: {why:?}"
            )),
            other => TlsError::Failed(format!("TLS: {other}")),
        }
    }
}

impl From<std::io::Error> for TlsError {
    fn from(error: std::io::Error) -> TlsError {
        TlsError::Failed(error.to_string())
    }
}

fn untrusted(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet: does the clock go right?".into()
        }
        CertificateError::UnknownIssuer => {
            "no certificate authority that is known here has signed it (--tls-ca or a trust store names one)"
                .into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it does not bear the name of the host: {why} (--tls-name says another)")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not made for this side of a connection".into()
        }
        other => other.to_string(),
    }
}

/// What the other side means by an alert, as it would go on behind "the other side".
fn alerted(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "wants a certificate from this one (--tls-cert, --tls-key)".into()
        }
        AlertDescription::UnknownCA => {
            "does not trust the certificate of this one: it does not know who has signed it".into()
        }
        AlertDescription::CertificateExpired => {
            "does not take the certificate of this one: it has expired".into()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => {
            format!("does not take the certificate of this one ({alert:?})")
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            format!("has no protocol version or cipher suite in common with this one ({alert:?})")
        }
        AlertDescription::UnexpectedMessage | AlertDescription::DecodeError => {
            format!("does not understand what it was sent ({alert:?})")
        }
        other => format!("has ended the connection: {other:?}"),
    }
}
