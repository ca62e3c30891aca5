export { WebService, type WebServiceArgs } from "./web-service.ts";
