using Mono.Cecil;
using Mono.Cecil.Cil;

namespace NativeIpc.Tests.Architecture;

/// <summary>
/// Which types a type uses, read from the assembly's metadata and code: bases, members, attributes, locals, what is
/// called, read, caught, made. A nested type, and what the compiler makes of a lambda or an iterator, counts as the one
/// around it. Not seen are constants, which the compiler copies, and names in comments.
/// </summary>
internal sealed class TypeUses
{
    private readonly Dictionary<string, string> _places = [];
    private readonly string _of;
    private string _place = "";

    private TypeUses(TypeDefinition type)
    {
        _of = type.FullName;
        Add(type);
    }

    /// <summary>Reads an assembly: each of its outermost types, what it uses (full names), and a place of each
    /// use.</summary>
    internal static Dictionary<string, IReadOnlyDictionary<string, string>> Of(string assembly)
    {
        using ModuleDefinition module = ModuleDefinition.ReadModule(assembly);
        return module.Types.Where(type => type.Name != "<Module>")
            .ToDictionary(type => type.FullName,
                type => (IReadOnlyDictionary<string, string>)new TypeUses(type)._places);
    }

    private void Add(TypeDefinition type)
    {
        _place = type.Name;
        Use(type.BaseType);
        AddAttributes(type);
        AddConstraints(type);
        foreach (InterfaceImplementation implemented in type.Interfaces) Use(implemented.InterfaceType);
        foreach (PropertyDefinition property in type.Properties) AddAttributes(property);
        foreach (EventDefinition one in type.Events) AddAttributes(one);
        foreach (FieldDefinition field in type.Fields)
        {
            _place = $"{type.Name}.{field.Name}";
            Use(field.FieldType);
            AddAttributes(field);
        }

        foreach (MethodDefinition method in type.Methods)
        {
            _place = $"{type.Name}.{method.Name}";
            Use(method);
            AddAttributes(method);
            AddAttributes(method.MethodReturnType);
            AddConstraints(method);
            foreach (ParameterDefinition parameter in method.Parameters) AddAttributes(parameter);
            if (method.HasBody) Add(method.Body);
        }

        foreach (TypeDefinition nested in type.NestedTypes) Add(nested);
    }

    private void Add(MethodBody body)
    {
        foreach (VariableDefinition local in body.Variables) Use(local.VariableType);
        foreach (ExceptionHandler handler in body.ExceptionHandlers) Use(handler.CatchType);
        foreach (Instruction instruction in body.Instructions)
        {
            if (instruction.Operand is TypeReference type) Use(type);
            else if (instruction.Operand is IMethodSignature method) Use(method);
            else if (instruction.Operand is FieldReference field)
            {
                Use(field.DeclaringType);
                Use(field.FieldType);
            }
        }
    }

    private void AddAttributes(ICustomAttributeProvider member)
    {
        foreach (CustomAttribute attribute in member.CustomAttributes)
        {
            Use(attribute.AttributeType);
            foreach (CustomAttributeArgument argument in attribute.ConstructorArguments)
                Use(argument.Value as TypeReference);
            foreach (CustomAttributeNamedArgument named in attribute.Properties)
                Use(named.Argument.Value as TypeReference);
        }
    }

    private void AddConstraints(IGenericParameterProvider generic)
    {
        foreach (GenericParameter parameter in generic.GenericParameters)
        {
            foreach (GenericParameterConstraint constraint in parameter.Constraints)
                Use(constraint.ConstraintType);
        }
    }

    /// <summary>A method, or the signature of a function pointer.</summary>
    private void Use(IMethodSignature method)
    {
        if (method is MethodReference { DeclaringType: var owner }) Use(owner);
        if (method is GenericInstanceMethod generic)
        {
            foreach (TypeReference argument in generic.GenericArguments) Use(argument);
        }

        Use(method.ReturnType);
        foreach (ParameterDefinition parameter in method.Parameters) Use(parameter.ParameterType);
    }

    private void Use(TypeReference? type)
    {
        switch (type)
        {
            case null or GenericParameter:
                return;
            case FunctionPointerType pointer:
                Use((IMethodSignature)pointer);
                return;
            case GenericInstanceType generic:
                foreach (TypeReference argument in generic.GenericArguments) Use(argument);
                break;
            case IModifierType modified:
                Use(modified.ModifierType);
                break;
        }

        if (type is TypeSpecification specification)
        {
            Use(specification.ElementType);
            return;
        }

        for (; type.DeclaringType is not null; type = type.DeclaringType)
        {
        }

        if (type.FullName != _of) _places.TryAdd(type.FullName, _place);
    }
}
