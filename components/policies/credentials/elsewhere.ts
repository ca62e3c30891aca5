/** Values that say where a credential is, or that there is none. */

/** Values that stand for one kept elsewhere: variables, commands, references of secret stores and of clouds. */
const REFERENCES =
  /^(?:\$(?!(?:1|2[aby]?|5|6|y|gy|7)\$)|`|<|%|\{|-|=|@|#\{|arn:|alias\/|projects\/|file:|>{0,2}vault:[\w/-]+#|(?:op|sm|env|k8s|ref\+\w+|(?:aws|gcp|azure)kms):\/\/|keyvaultref:|ENC\[AES256_GCM|https:\/\/[\w.-]+\.vault\.)|^(?:__[A-Z_]+__|!(?:vault|Ref|Sub|GetAtt|secret|env))$/i;

/** Places of files. A key of AWS may begin with a slash, and has neither of these after it. */
const PLACES =
  /^\/(?:etc|var|run|root|home|opt|usr|tmp|srv|mnt|dev|proc|vault|tls|certs?|ssl|pki|secrets|config|data|app|bitnami|keys)(?:\/|$)|^\.{0,2}\/[\w./-]+\.(?:key|pem|crt|p12|pfx|jks|json|txt)$/i;

/** Values that say yes or no, that there is none, or that an account is locked. */
const NONE =
  /^(?:true|false|yes|no|on|off|null|none|nil|~|\*+|!{1,2}\*?|!!\w+|\[|include|omit|same-origin|managedidentity)$/i;

/** Whether a value only says where a credential is. */
export const isElsewhere = (value: string): boolean =>
  REFERENCES.test(value) || PLACES.test(value) || NONE.test(value);
