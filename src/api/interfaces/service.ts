/** org.varlink.service, as https://varlink.org/Service defines it. The .varlink file beside this one is written from it by the tests. */
export const service = `# What every Varlink service answers about itself.
interface org.varlink.service

method GetInfo() -> (
  vendor: string,
  product: string,
  version: string,
  url: string,
  interfaces: []string
)

method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)

error MethodNotFound (method: string)

error MethodNotImplemented (method: string)

error InvalidParameter (parameter: string)

# The method answers more than once and was called without "more".
error ExpectedMore ()
`;
